// Traced: a worker that is single-stepped, to be killed at each instruction of its way.
#pragma once

#include <map>
#include <sys/ptrace.h>
#include <vector>

#include "breakpoint.h"
#include "probes.h"
#include "support.h"

namespace ringmaster::test {

// How often workers are stopped in one test; each stop costs microseconds. Only the ways that a
// sanitizer makes long would need more: there, workers are killed at some of the steps.
inline constexpr uint64_t kStopsMax = 500'000;

// ThreadSanitizer's part of a job's way depends on what it has seen before: no step of one run can
// be found again in the next.
#if defined(__SANITIZE_THREAD__)
inline constexpr bool kIsWayTheSame = false;
#else
inline constexpr bool kIsWayTheSame = true;
#endif

// In a child: stops, until its tracer lets it go on. False: it cannot be traced.
inline bool stop_for_tracer() {
  return ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0 && ::kill(::getpid(), SIGSTOP) == 0;
}

class Traced {
 public:
  // `fork` gives a child that calls stop_for_tracer(); `prepare` is called before that is waited
  // for.
  template <class Fork, class Prepare>
  Traced(const Fork& fork, const Prepare& prepare) : child_(fork()) {
    prepare();
    status_ = child_.wait();
  }

  bool is_stopped() const { return WIFSTOPPED(status_); }
  int exit_code() const { return WIFEXITED(status_) ? WEXITSTATUS(status_) : -1; }

  // One instruction. False: there are none any more.
  bool step() { return go_on(PTRACE_SINGLESTEP); }
  void kill() { child_.kill(); }

  // The address of the instruction that comes next.
  uint64_t at() const { return next_instruction(child_.pid()); }

  // At full speed until it comes to `address` for the `visit`-th time from now on.
  bool run_to(uint64_t address, size_t visit) {
    for (; visit > 0; --visit) {
      // An instruction is executed before the breakpoint takes its place.
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

// The way of a traced worker: the addresses of its instructions, in the order in which they are
// executed; and how to come to each of them in few stops.
class Way {
 public:
  void add(uint64_t address) { trace_.push_back(address); }

  // Once it is whole: calls `kill_at(step)` for each step, or for every n-th where that would take
  // more than kStopsMax stops. Returns how often.
  template <class KillAt>
  size_t for_each_step(const KillAt& kill_at) {
    find_shortcuts();
    uint64_t stops = 0;
    for (size_t step = 0; step < trace_.size(); ++step)
      stops += shortcuts_[step].stops_to(step);
    const size_t stride = stops / kStopsMax + 1;
    size_t kills = 0;
    for (size_t step = 0; step < trace_.size(); step += stride, ++kills)
      kill_at(step);
    return kills;
  }
  // Leads a worker there that stands at the beginning.
  void lead(Traced& worker, size_t step) const {
    const Shortcut shortcut = shortcuts_[step];
    if (shortcut.step > 0) REQUIRE(worker.run_to(trace_[shortcut.step], shortcut.visit));
    for (size_t i = shortcut.step; i < step; ++i)
      REQUIRE(worker.step());
    CHECK(worker.at() == trace_[step]);
  }

  size_t length() const { return trace_.size(); }

 private:
  // With a breakpoint to the `visit`-th visit of the instruction at an earlier step, then step by
  // step. Each visit is two stops: the breakpoint, and the instruction in its place.
  struct Shortcut {
    size_t step = 0;
    size_t visit = 0;
    size_t stops_to(size_t wanted) const { return 2 * visit + wanted - step; }
  };

  // Without breakpoints: each leads to the first step.
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
