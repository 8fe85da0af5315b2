// Terminal: the screen of a command that draws it anew again and again.
//
// The destructor restores the terminal, and so does a signal that ends the process. At most one
// Terminal exists at a time. Ctrl-Z does nothing: a stop would not restore the terminal.
#pragma once

#include <csignal>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "cli/top_view.h"

namespace ringmaster::cli {

class Terminal {
 public:
  // REQUIRES: stdin and stdout are terminals.
  Terminal();
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  ViewSize size() const;
  // Replaces what the screen shows.
  void draw(const std::vector<ViewLine>& lines);

  enum class Input { kNone, kKey, kResized, kEnd };
  // Waits for a key, a new size of the terminal, or its end. `key`: the one that was pressed.
  Input wait(int timeout_ms, char& key);
};

}  // namespace ringmaster::cli
