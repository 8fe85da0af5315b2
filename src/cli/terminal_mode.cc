#include "cli/terminal_mode.h"

#include <unistd.h>

namespace ringmaster::cli {

TerminalMode::TerminalMode() : is_terminal_(::tcgetattr(STDIN_FILENO, &mode_) == 0) {}

TerminalMode::~TerminalMode() {
  if (is_terminal_ && ::tcgetpgrp(STDIN_FILENO) == ::getpgrp())
    ::tcsetattr(STDIN_FILENO, TCSADRAIN, &mode_);
}

}  // namespace ringmaster::cli
