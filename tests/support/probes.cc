#include "probes.h"

#include <cstdlib>
#include <doctest/doctest.h>
#include <iostream>
#include <sys/ptrace.h>

#include "breakpoint.h"
#include "support.h"

namespace ringmaster::test {
namespace {

template <class Try>
Probe make_probe(const std::string& name, const Try& find_reason) {
  const std::string variable = "RINGMASTER_PROBE_" + name;
  const char* forced = std::getenv(variable.c_str());
  if (forced != nullptr && std::string_view(forced) == "no") return {variable + "=no"};
  return {find_reason()};
}

[[gnu::noinline]] void marked() {
  asm volatile("");  // keeps calls from being optimised away
}

// A child that stops, and then calls marked().
int stop_and_go_on() {
  if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) return 1;
  ::kill(::getpid(), SIGSTOP);
  marked();
  return 0;
}

std::string try_ptrace() {
  Child child(stop_and_go_on);
  if (!child.was_stopped()) return "this system does not permit ptrace(2)";
  if (::ptrace(PTRACE_SINGLESTEP, child.pid(), nullptr, nullptr) != 0 || !child.was_stopped())
    return "ptrace(2) cannot step here";
  Child running([] { return ::pause(); });
  if (::ptrace(PTRACE_SEIZE, running.pid(), nullptr, nullptr) != 0)
    return "ptrace(2) cannot trace a running child here";
  return {};
}

std::string try_breakpoint() {
  if (!ptrace_stops().is_available()) return ptrace_stops().reason;
  Child child(stop_and_go_on);
  if (!child.was_stopped()) return "this system does not permit ptrace(2)";
  const Breakpoint stop(child.pid(), reinterpret_cast<uint64_t>(&marked));
  if (!stop.is_planted()) return "ptrace(2) cannot write to a program's text here";
  if (::ptrace(PTRACE_CONT, child.pid(), nullptr, nullptr) != 0 || !child.was_stopped() ||
      !stop.remove_hit())
    return "a breakpoint does not stop a child here";
  return {};
}

}  // namespace

const Probe& ptrace_stops() {
  static const Probe probe = make_probe("PTRACE", try_ptrace);
  return probe;
}

const Probe& breakpoints() {
  static const Probe probe = make_probe("BREAKPOINTS", try_breakpoint);
  return probe;
}

void report_skip(const Probe& probe) {
  std::cout << "skipped: " << doctest::getContextOptions()->currentTest->m_name << ": "
            << probe.reason << std::endl;
}

}  // namespace ringmaster::test
