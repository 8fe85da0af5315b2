#include "cli/start_log.h"

#include <cstdlib>
#include <fmt/format.h>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

namespace ringmaster::cli {
namespace {

// Whether `fd`, where the log goes, is the journal. `journal_stream`: the variable JOURNAL_STREAM,
// the device and inode of the stream that systemd gave the server as stderr, or null. A stderr that
// was redirected since needs no priority prefix.
bool is_journal(int fd, const char* journal_stream) {
  struct stat status {};
  if (journal_stream == nullptr || ::fstat(fd, &status) != 0) return false;
  return fmt::format("{}:{}", status.st_dev, status.st_ino) == journal_stream;
}

// Whether a terminal should get colours. `no_color`, `term`: the variables NO_COLOR and TERM, or
// null.
bool wants_colours(const char* no_color, const char* term) {
  if (no_color != nullptr && no_color[0] != '\0') return false;
  return term != nullptr && std::string_view(term) != "dumb";
}

}  // namespace

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
