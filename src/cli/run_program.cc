#include "cli/run_program.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/exit_status.h"
#include "base/fd.h"

namespace ringmaster::cli {
namespace {

// The program starts with the default action for each signal: the master ignores some signals.
int spawn(std::vector<std::string>& arguments, int output, pid_t& pid) {
  std::vector<char*> argv;
  for (std::string& argument : arguments)
    argv.push_back(argument.data());
  argv.push_back(nullptr);
  sigset_t all;
  ::sigfillset(&all);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  const int error = ::posix_spawn(&pid, argv[0], &actions, &attributes, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  return error;
}

}  // namespace

Result<std::string> run_program(std::vector<std::string> arguments) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("pipe", errno);
  const Fd read_end(ends[0]);
  Fd write_end(ends[1]);
  pid_t pid = 0;
  if (const int error = spawn(arguments, write_end.get(), pid); error != 0) {
    return fail_errno("start " + arguments[0], error);
  }
  write_end.reset();
  std::string output;
  char buffer[4096];
  ssize_t size = 0;
  while ((size = ::read(read_end.get(), buffer, sizeof buffer)) > 0 || (size < 0 && errno == EINTR))
    output.append(buffer, size > 0 ? static_cast<size_t>(size) : 0);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return fail_errno("wait for " + arguments[0], errno);
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return output;
  return fail(ExitCode::kResource, arguments[0] + ": expected exit 0, found " +
                                       describe_exit(status) + "; stderr says more");
}

}  // namespace ringmaster::cli
