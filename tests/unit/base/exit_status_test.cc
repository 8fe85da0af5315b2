#include "base/exit_status.h"

#include <csignal>
#include <doctest/doctest.h>

#include "support.h"

namespace ringmaster {

TEST_CASE("exit status: says what a process exited with, or which signal ended it") {
  CHECK(describe_exit(test::Child([] { return 78; }).wait()) == "exit 78");
  CHECK(describe_exit(test::Child([] { return ::raise(SIGKILL); }).wait()) == "SIGKILL");
  CHECK(describe_exit(3, 0) == "exit 3");
  CHECK(describe_exit(0, SIGSEGV) == "SIGSEGV");
  CHECK(describe_exit(0, SIGRTMIN) == "signal " + std::to_string(SIGRTMIN));
}

}  // namespace ringmaster
