#include "cli/start_log.h"

#include <cstdlib>
#include <fmt/format.h>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

namespace ringmaster::cli {

bool is_journal(int fd, const char* journal_stream) {
  struct stat status {};
  if (journal_stream == nullptr || ::fstat(fd, &status) != 0) return false;
  return fmt::format("{}:{}", status.st_dev, status.st_ino) == journal_stream;
}

bool wants_colours(const char* no_color, const char* term) {
  if (no_color != nullptr && no_color[0] != '\0') return false;
  return term != nullptr && std::string_view(term) != "dumb";
}

Status start_log(const CommandLine& line) {
  LogOptions options;
  options.role = "master";
  options.json = line.log_format == "json";
  options.file = line.log_file;
  options.journal_priority =
      line.log_file.empty() && is_journal(STDERR_FILENO, std::getenv("JOURNAL_STREAM"));
  options.terminal = line.log_file.empty() && !options.json && ::isatty(STDERR_FILENO) == 1;
  options.colours = wants_colours(std::getenv("NO_COLOR"), std::getenv("TERM"));
  return set_up_log(std::move(options));
}

}  // namespace ringmaster::cli
