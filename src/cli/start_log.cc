#include "cli/start_log.h"

#include <cstdlib>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

namespace ringmaster::cli {

bool is_journal(int fd, const char* journal_stream) {
  struct stat status {};
  if (journal_stream == nullptr || ::fstat(fd, &status) != 0) return false;
  return fmt::format("{}:{}", status.st_dev, status.st_ino) == journal_stream;
}

Status start_log(const CommandLine& line) {
  LogOptions options;
  options.role = "master";
  options.json = line.log_format == "json";
  options.file = line.log_file;
  options.journal_priority =
      line.log_file.empty() && is_journal(STDERR_FILENO, std::getenv("JOURNAL_STREAM"));
  return set_up_log(std::move(options));
}

}  // namespace ringmaster::cli
