// start_log(): the master's log, as the command line and the service manager want it.
#pragma once

#include "base/status.h"
#include "cli/command_line.h"

namespace ringmaster::cli {

// Whether stderr is the journal: `journal_stream` is what systemd puts into JOURNAL_STREAM, the
// device and inode of the stream that it gave us. stderr may since have been redirected elsewhere,
// where a priority prefix would be noise. May be null.
bool is_journal(int fd, const char* journal_stream);

[[nodiscard]] Status start_log(const CommandLine& line);

}  // namespace ringmaster::cli
