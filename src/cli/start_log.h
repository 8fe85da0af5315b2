// start_log(): sets up the master's log by the command line and the service manager.
#pragma once

#include "base/status.h"
#include "cli/command_line.h"

namespace ringmaster::cli {

// Whether stderr is the journal. `journal_stream`: systemd's JOURNAL_STREAM, the device and inode
// of the stream that it gave us, or null. stderr may have been redirected since, and then needs no
// priority prefix.
bool is_journal(int fd, const char* journal_stream);

[[nodiscard]] Status start_log(const CommandLine& line);

}  // namespace ringmaster::cli
