// TerminalMode: its destructor restores the terminal's mode as its constructor found it.
//
// A debugger in a worker changes the mode, and a killed worker does not restore it. A process in
// the background leaves the mode alone: another program uses the terminal.
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
