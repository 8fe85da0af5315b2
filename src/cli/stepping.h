// What `ringmaster dev` and `serve --inline` do so that a developer can step through a handler, in
// a debugger that has the terminal.
#pragma once

#include <termios.h>

#include "config/options.h"

namespace ringmaster::cli {

// One worker, without a sandbox and with the master's user; one attempt; as much time for a start
// and for each request as a method can have, whatever the configuration says.
void allow_stepping(master::Options& options);

// The destructor restores the terminal's mode: a debugger edits lines in another mode, and does not
// restore the mode when the worker is killed. In the background the destructor leaves the mode
// alone: another program has the terminal.
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
