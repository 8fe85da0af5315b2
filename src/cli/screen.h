// Screen: the terminal of a command that redraws it again and again.
//
// The destructor restores the terminal, and so does a signal that ends the process. At most one
// Screen exists at a time. Ctrl-Z does nothing: a stop would not restore the terminal.
#pragma once

#include <csignal>
#include <string_view>
#include <vector>

#include "cli/top_view.h"

namespace ringmaster::cli {

class Screen {
 public:
  // REQUIRES: stdin and stdout are terminals.
  Screen();
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  ViewSize size() const;
  // Replaces what the screen shows.
  void draw(const std::vector<ViewLine>& lines);

  enum class Input { kNone, kKey, kResized, kEnd };
  // Waits for a key, a new size of the terminal, or the end of its input. `key`: the pressed key.
  Input wait(int timeout_ms, char& key);
};

}  // namespace ringmaster::cli
