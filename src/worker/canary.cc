#include "worker/canary.h"

#include <bsd/unistd.h>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <fmt/format.h>
#include <functional>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

#include "base/exit_status.h"
#include "base/fd.h"
#include "ipc/control.h"
#include "worker/confine.h"

namespace ringmaster::worker {
namespace {

// A trial returns a text for the fork server.
using Trial = std::function<Result<std::string>(pid_t fork_server)>;

[[noreturn]] void be_the_canary(const std::string& title, const Trial& trial, pid_t fork_server,
                                int answer) {
  ::close_range(ipc::kControlFd, ipc::kChildExitsFd, 0);  // the fork server's: a trial needs none
  ::setproctitle("-ringmaster: %s", title.c_str());
  const Result<std::string> tried = trial(fork_server);
  const std::string& text = tried ? *tried : tried.error().message;
  std::fflush(stdout);
  // If the write fails, the exit status still reports the failure.
  [[maybe_unused]] const ssize_t written = ::write(answer, text.data(), text.size());
  ::_exit(tried ? 0 : static_cast<int>(tried.error().exit_code));
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

// Runs the trial in a process with this title; `what`: its name in errors.
Result<std::string> run_canary(const std::string& what, const std::string& title,
                               const Trial& trial, const ForkHooks& hooks) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("pipe to the canary", errno);
  Fd answer(ends[0]);
  Fd canary_end(ends[1]);
  const pid_t fork_server = ::getpid();
  std::fflush(stdout);  // or the canary would print the buffered text, too
  const pid_t canary = fork_child(hooks);
  if (canary < 0) return fail_errno("fork the canary", errno);
  if (canary == 0) be_the_canary(title, trial, fork_server, canary_end.get());
  canary_end.reset();
  std::string text = read_to_end(answer.get());
  const int status = wait_for(canary);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return text;
  if (WIFEXITED(status) && !text.empty()) {
    return fail(static_cast<ExitCode>(WEXITSTATUS(status)), text);
  }
  return fail(ExitCode::kConfig,
              fmt::format("{} ended its process ({})", what, describe_exit(status)));
}

}  // namespace

Result<std::string> try_confine(const ipc::Confinement& confinement) {
  return run_canary(
      "the workers' sandbox", "canary of the sandbox",
      [&](pid_t fork_server) { return confine(confinement, fork_server); }, ForkHooks());
}

Status try_out(const Handler& handler, const ipc::Confinement& confinement,
               const ForkHooks& hooks) {
  if (!handler.has_self_test()) return {};
  const auto test = [&](pid_t fork_server) -> Result<std::string> {
    Result<std::string> confined = confine(confinement, fork_server);
    if (!confined) return confined;
    if (Status passed = handler.self_test(); !passed) return tl::unexpected(passed.error());
    return "";
  };
  const Result<std::string> tried =
      run_canary(fmt::format("handler {}: its self-test", handler.name()),
                 "canary of " + handler.name(), test, hooks);
  if (!tried) return tl::unexpected(tried.error());
  return {};
}

}  // namespace ringmaster::worker
