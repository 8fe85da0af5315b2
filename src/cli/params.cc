#include "cli/params.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <iostream>
#include <sstream>

#include "base/json/scan.h"

namespace ringmaster::cli {
namespace {

constexpr size_t kShownParamsBytes = 200;  // of params that are wrong

}  // namespace

Result<std::string> read_text_argument(std::string_view what, const std::string& given) {
  const bool is_stdin = given == "-";
  if (!is_stdin && !given.starts_with('@')) return given;
  errno = 0;
  std::ifstream file;
  if (!is_stdin) file.open(given.substr(1));
  std::ostringstream text;
  if (!(text << (is_stdin ? std::cin.rdbuf() : file.rdbuf()))) {
    const bool is_unread = is_stdin ? std::ferror(stdin) != 0 : errno != 0;
    const std::string why =
        is_unread ? fmt::format("cannot be read: {}", std::strerror(errno)) : "is empty";
    return fail(ExitCode::kUsage,
                fmt::format("{} {}, which {}", what,
                            is_stdin ? "on stdin" : "to be in " + given.substr(1), why));
  }
  return text.str();
}

Status check_params(std::string_view command, std::string_view params) {
  if (params.empty()) return {};
  const auto fault = json::find_fault(params);
  const size_t first = params.find_first_not_of(" \t\r\n");
  const bool is_container =
      first != std::string::npos && (params[first] == '{' || params[first] == '[');
  if (!fault && is_container) return {};
  return fail(ExitCode::kUsage,
              fmt::format("{}: expected PARAMS to be a JSON object or array, found {}{}", command,
                          params.substr(0, kShownParamsBytes), fault ? " (" + *fault + ")" : ""));
}

}  // namespace ringmaster::cli
