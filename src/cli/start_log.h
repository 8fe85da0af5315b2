// start_log(): sets up the master's log by the command line and the service manager.
#pragma once

#include "base/status.h"
#include "cli/command_line.h"

namespace ringmaster::cli {

// Whether `fd`, where the log goes, is the journal. `journal_stream`: the variable JOURNAL_STREAM,
// the device and inode of the stream that systemd gave the server as stderr, or null. A stderr that
// was redirected since needs no priority prefix.
bool is_journal(int fd, const char* journal_stream);

// Whether a terminal should get colours. `no_color`, `term`: the variables NO_COLOR and TERM, or
// null.
bool wants_colours(const char* no_color, const char* term);

[[nodiscard]] Status start_log(const CommandLine& line);

}  // namespace ringmaster::cli
