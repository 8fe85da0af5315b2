#include "base/exit_status.h"

#include <csignal>
#include <cstring>
#include <fmt/format.h>
#include <sys/wait.h>

namespace ringmaster {

std::string describe_exit(int64_t exit_code, int signal) {
  if (signal == 0) return fmt::format("exit {}", exit_code);
  const char* name = ::sigabbrev_np(signal);
  return name != nullptr ? fmt::format("SIG{}", name) : fmt::format("signal {}", signal);
}

std::string describe_exit(int wait_status) {
  return WIFSIGNALED(wait_status) ? describe_exit(0, WTERMSIG(wait_status))
                                  : describe_exit(WEXITSTATUS(wait_status), 0);
}

}  // namespace ringmaster
