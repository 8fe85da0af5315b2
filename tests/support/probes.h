// Probes: features that a test needs and some machines lack. Each is tried once.
//
//     TEST_CASE("fork server kill: at every system call ...") {
//       SKIP_UNLESS(test::ptrace_stops());
//
// A skipped case prints "skipped: NAME: REASON". doctest has no skip at run time and counts the
// case as passed; scripts/run_tests.py counts it as skipped.
//
// RINGMASTER_PROBE_NAME=no makes a probe fail. The names here are PTRACE and BREAKPOINTS;
// those of the end-to-end tests are in tests/e2e/support/probes.py.
#pragma once

#include <string>

namespace ringmaster::test {

struct Probe {
  std::string reason;  // why the feature is missing; empty: it is available
  bool is_available() const { return reason.empty(); }
};

const Probe& ptrace_stops();  // a parent may stop its child, step through it and trace its calls
const Probe& breakpoints();   // a parent may also write an int3 into its child's program

// Prints the line for the test case that runs now.
void report_skip(const Probe& probe);

}  // namespace ringmaster::test

#define SKIP_UNLESS(probe)                  \
  if (!(probe).is_available()) {            \
    ::ringmaster::test::report_skip(probe); \
    return;                                 \
  }                                         \
  static_assert(true)
