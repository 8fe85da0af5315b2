// TerminalMode: sets the terminal's mode at its end as it was.
//
// A debugger edits lines in another mode, which a killed worker does not set back. From the
// background the mode is left alone: it is that of another program.
#pragma once

#include <termios.h>

namespace ringmaster::cli {

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
