#include "work/canary.h"

#include <bsd/unistd.h>
#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

#include "base/exit_status.h"
#include "base/fd.h"
#include "ipc/control.h"
#include "work/child.h"
#include "work/sandbox.h"

namespace ringmaster::work {
namespace {

[[noreturn]] void be_the_canary(const Handler& handler, bool is_sandboxed, pid_t nursery,
                                int answer) {
  begin_child(nursery);
  ::close_range(ipc::kControlFd, ipc::kEventFd, 0);  // the nursery's: a self-test needs none
  ::setproctitle("-ringmaster: canary of %s", handler.name().c_str());
  Status passed;
  if (is_sandboxed) passed = enter_sandbox();
  if (passed) passed = handler.self_test();
  if (passed) ::_exit(0);
  const std::string& why = passed.error().message;
  // Without its reason the failure is still one.
  [[maybe_unused]] const ssize_t written = ::write(answer, why.data(), why.size());
  ::_exit(1);
}

std::string read_to_end(int fd) {
  std::string text;
  char buffer[1024];
  for (;;) {
    const ssize_t size = ::read(fd, buffer, sizeof buffer);
    if (size > 0) text.append(buffer, static_cast<size_t>(size));
    if (size == 0 || (size < 0 && errno != EINTR)) return text;
  }
}

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

}  // namespace

Status try_out(const Handler& handler, bool is_sandboxed) {
  if (!handler.has_self_test()) return {};
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("pipe to the canary", errno);
  Fd answer(ends[0]);
  Fd canary_end(ends[1]);
  const pid_t nursery = ::getpid();
  const pid_t canary = ::fork();
  if (canary < 0) return fail_errno("fork the canary", errno);
  if (canary == 0) be_the_canary(handler, is_sandboxed, nursery, canary_end.get());
  canary_end.reset();
  const std::string why = read_to_end(answer.get());
  const int status = wait_for(canary);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  if (!why.empty()) return fail(ExitCode::kConfig, why);
  return fail(ExitCode::kConfig, fmt::format("handler {}: its self-test ended its process ({})",
                                             handler.name(), describe_exit(status)));
}

}  // namespace ringmaster::work
