// Traced: a single-stepped worker, to be killed at each of its instructions.
#pragma once

#include <fstream>
#include <map>
#include <string>
#include <sys/ptrace.h>
#include <utility>
#include <vector>

#include "breakpoint.h"
#include "probes.h"
#include "support.h"

namespace ringmaster::test {

// The most steps of a Way that are tried, at equal distances: RINGMASTER_TRIES. `make check` tries
// all. AddressSanitizer finds nothing in a killed process and makes ways ten times as long, so few
// are enough.
inline size_t tries_max() {
#if defined(__SANITIZE_ADDRESS__)
  return from_environment("RINGMASTER_TRIES", 50);
#else
  return from_environment("RINGMASTER_TRIES", 400);
#endif
}

// ThreadSanitizer's instructions depend on its state, so a step of one run cannot be found in the
// next run.
#if defined(__SANITIZE_THREAD__)
inline constexpr bool kIsWayTheSame = false;
#else
inline constexpr bool kIsWayTheSame = true;
#endif

// Whether the address lies in the vDSO, the kernel's code that reads the clock. This code repeats
// its reads if the kernel has set the clock meanwhile, so its way differs from run to run.
inline bool is_in_vdso(uint64_t address) {
  static const std::pair<uint64_t, uint64_t> range = [] {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
      if (!line.ends_with("[vdso]")) continue;
      size_t dash = 0;
      const uint64_t begin = std::stoull(line, &dash, 16);
      return std::pair<uint64_t, uint64_t>{begin, std::stoull(line.substr(dash + 1), nullptr, 16)};
    }
    return std::pair<uint64_t, uint64_t>{};  // no vDSO: a system call reads the clock
  }();
  return range.first <= address && address < range.second;
}

// In a child: stops until the tracer continues it. False: it cannot be traced.
inline bool stop_for_tracer() {
  return ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0 && ::kill(::getpid(), SIGSTOP) == 0;
}

class Traced {
 public:
  // `fork` returns a child that calls stop_for_tracer(). `bring_to_stop` does what the child waits
  // for before that, `prepare` what must be done once the child has stopped.
  template <class Fork, class BringToStop, class Prepare>
  Traced(const Fork& fork, const BringToStop& bring_to_stop, const Prepare& prepare)
      : child_(fork()) {
    bring_to_stop();
    status_ = child_.wait();
    prepare();
  }
  template <class Fork>
  explicit Traced(const Fork& fork)
      : Traced(
            fork, [] {}, [] {}) {}

  bool is_stopped() const { return WIFSTOPPED(status_); }
  int exit_code() const { return WIFEXITED(status_) ? WEXITSTATUS(status_) : -1; }

  // Executes one instruction, or a call of the vDSO: like a system call, it is one step. False: the
  // worker has ended.
  bool step() {
    do {
      if (!go_on(PTRACE_SINGLESTEP)) return false;
    } while (is_in_vdso(at()));
    return true;
  }
  // Executes the rest.
  void run() { go_on(PTRACE_CONT); }
  void kill() { child_.kill(); }

  // The address of the next instruction.
  uint64_t at() const { return next_instruction(child_.pid()); }

  // Runs at full speed until the `visit`-th time at `address` from now on.
  bool run_to(uint64_t address, size_t visit) {
    for (; visit > 0; --visit) {
      // First step over the instruction at `address`, before the breakpoint replaces it.
      if (at() == address && !step()) return false;
      if (at() == address) continue;
      const Breakpoint stop(child_.pid(), address);
      if (!stop.is_planted() || !go_on(PTRACE_CONT) || !stop.remove_hit()) return false;
    }
    return true;
  }

 private:
  bool go_on(__ptrace_request how) {
    const long passed_on = WSTOPSIG(status_) == SIGALRM ? SIGALRM : 0;
    if (::ptrace(how, child_.pid(), nullptr, passed_on) != 0) return false;
    status_ = child_.wait();
    return is_stopped();
  }

  Child child_;
  int status_ = 0;
};

// The way of a traced worker: the addresses of its instructions, in the order of execution. lead()
// reaches each of them in few stops.
class Way {
 public:
  void add(uint64_t address) { trace_.push_back(address); }

  // Call when the way is complete: calls `kill_at(step)` for each step, or for every n-th if there
  // are more than tries_max(). Returns the number of calls.
  template <class KillAt>
  size_t for_each_step(const KillAt& kill_at) {
    find_shortcuts();
    const size_t stride = trace_.size() / tries_max() + 1;
    size_t kills = 0;
    for (size_t step = 0; step < trace_.size(); step += stride, ++kills)
      kill_at(step);
    return kills;
  }
  // Runs a worker from the beginning of the way to `step`.
  void lead(Traced& worker, size_t step) const {
    const Shortcut shortcut = shortcuts_[step];
    if (shortcut.step > 0) REQUIRE(worker.run_to(trace_[shortcut.step], shortcut.visit));
    for (size_t i = shortcut.step; i < step; ++i)
      REQUIRE(worker.step());
    CHECK(worker.at() == trace_[step]);
  }

  size_t length() const { return trace_.size(); }

 private:
  // Runs with a breakpoint to the `visit`-th visit of an earlier step's instruction, then
  // single-steps. Each visit costs two stops: the breakpoint, and its instruction.
  struct Shortcut {
    size_t step = 0;
    size_t visit = 0;
    size_t stops_to(size_t wanted) const { return 2 * visit + wanted - step; }
  };

  // Without breakpoints every shortcut is the first step.
  void find_shortcuts() {
    std::map<uint64_t, size_t> visits;
    shortcuts_.assign(trace_.size(), {});
    if (!breakpoints().is_available()) return;
    for (size_t i = 1; i < trace_.size(); ++i) {
      shortcuts_[i] = shortcuts_[i - 1];
      const Shortcut other{i, ++visits[trace_[i]]};
      if (other.stops_to(i) < shortcuts_[i].stops_to(i)) shortcuts_[i] = other;
    }
  }

  std::vector<uint64_t> trace_;
  std::vector<Shortcut> shortcuts_;
};

}  // namespace ringmaster::test
