#include "cli/foreground.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <optional>
#include <string_view>
#include <unistd.h>
#include <vector>

#include "cli/response.h"
#include "rpc/handler_error.h"
#include "rpc/json_rpc.h"

namespace ringmaster::cli {
namespace {

// Returns nothing if the error cannot be printed.
std::optional<int> print(const worker::ForegroundResult& result, uint64_t response_bytes) {
  if (result.code == 0) {
    std::fwrite(result.bytes.data(), 1, result.bytes.size(), stdout);
    std::fputc('\n', stdout);
    return 0;
  }
  std::string response;
  rpc::Error error = rpc::handler_error(result.code, result.bytes, response_bytes);
  if (result.was_run) error.executed = rpc::Executed::kUnknown;
  rpc::append_error(response, rpc::Version::k2, "null", error);  // the id is not printed
  return print_response(response);
}

}  // namespace

tl::unexpected<Error> exec_gdb(const std::string& command, std::span<char* const> words) {
  std::error_code error;
  const std::string program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error)
    return fail(ExitCode::kResource, command + ": read /proc/self/exe: " + error.message());
  std::vector<const char*> argv = {"gdb", "--args", program.c_str()};
  std::copy_if(words.begin() + 1, words.end(), std::back_inserter(argv),
               [](std::string_view word) { return word != "--gdb"; });
  argv.push_back(nullptr);
  ::execvp(argv[0], const_cast<char* const*>(argv.data()));
  return fail_errno(command + ": start gdb (apt install gdb)", errno);
}

Result<int> run_and_print(const std::string& command, const ipc::HandlerSpec& handler,
                          const worker::ForegroundJob& job, uint64_t response_bytes) {
  std::signal(SIGPIPE, SIG_IGN);  // as in a worker
  const Result<worker::ForegroundResult> result =
      worker::run_in_foreground(handler, job, response_bytes);
  if (!result) return tl::unexpected(result.error());
  const std::optional<int> printed = print(*result, response_bytes);
  if (!printed) {
    return fail(ExitCode::kInternal, command + ": the error's details are nested too deeply");
  }
  if (std::fflush(stdout) != 0) return fail_errno(command + ": write to stdout", errno);
  std::_Exit(*printed);  // ends as a worker does: threads of the handler may still run
}

}  // namespace ringmaster::cli
