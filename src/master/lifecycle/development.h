// DevelopmentConsole: what `ringmaster dev` adds to a master: it reloads when the file is saved,
// and prints the calls that a developer may want to try.
//
// Processes: the master only.
// Saves:     many editors write a new file and rename it, so the file's folder is watched. A module
//            may write files each time that it is loaded. So only a save of the served file, or of
//            a file beside it that it imports (see IsPart), causes a reload.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/uv_handle.h"
#include "master/lifecycle/serve.h"

namespace ringmaster::master {

class DevelopmentConsole {
 public:
  // `on_save` is called kRestMs after the last save of a file for which is_part() is true: a save
  // takes several steps.
  DevelopmentConsole(uv_loop_t* loop, IsPart is_part, std::function<void()> on_save);
  static constexpr uint64_t kRestMs = 50;

  [[nodiscard]] Status watch(const std::string& file);

  // Prints a line for each call on stdout, unless the same calls were printed last, or the process
  // is in the background of a terminal. `address`: of this server, as clients write it.
  void print_calls(const std::vector<std::string>& calls, const std::string& address);

 private:
  IsPart is_part_;
  std::function<void()> on_save_;
  std::vector<std::string> printed_;
  UvHandle<uv_fs_event_t> folder_;
  UvHandle<uv_timer_t> rest_;
};

}  // namespace ringmaster::master
