// What `ringmaster dev` and `serve --inline` do so that a developer can step through a handler, in
// a debugger that has the terminal.
#pragma once

#include <termios.h>

#include "config/options.h"

namespace ringmaster::cli {

// One worker, without a sandbox and with the master's user; one attempt; as much time for a start
// and for each request as a method can have, whatever the configuration says.
void allow_stepping(master::Options& options);

// Sets the terminal's mode at its end as it was: a debugger edits lines in another one, which a
// killed worker does not set back. From the background the mode is left alone: it is that of
// another program.
class TerminalMode {
 public:
  TerminalMode();
  ~TerminalMode();
  TerminalMode(const TerminalMode&) = delete;
  TerminalMode& operator=(const TerminalMode&) = delete;

 private:
  termios mode_{};
  const bool is_terminal_;
};

}  // namespace ringmaster::cli
