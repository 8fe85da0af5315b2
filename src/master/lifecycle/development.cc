#include "master/lifecycle/development.h"

#include <cstdio>
#include <filesystem>
#include <unistd.h>
#include <utility>

#include "config/options.h"

namespace ringmaster::master {

DevelopmentConsole::DevelopmentConsole(uv_loop_t* loop, IsPart is_part,
                                       std::function<void()> on_save)
    : is_part_(std::move(is_part)),
      on_save_(std::move(on_save)),
      folder_(make_handle<uv_fs_event_t>(loop, this, uv_fs_event_init)),
      rest_(make_handle<uv_timer_t>(loop, this, uv_timer_init)) {}

Status DevelopmentConsole::watch(const std::string& file) {
  const auto on_event = [](uv_fs_event_t* handle, const char* name, int, int) {
    auto* self = static_cast<DevelopmentConsole*>(handle->data);
    if (name == nullptr || !self->is_part_(name)) return;
    const auto on_rest = [](uv_timer_t* timer) {
      static_cast<DevelopmentConsole*>(timer->data)->on_save_();
    };
    uv_timer_start(self->rest_.get(), on_rest, kRestMs, 0);
  };
  const std::string folder = std::filesystem::path(file).parent_path().string();
  const int error = uv_fs_event_start(folder_.get(), on_event, folder.c_str(), 0);
  if (error != 0) return fail_errno("watch the folder " + folder, -error);
  return {};
}

void DevelopmentConsole::print_calls(const std::vector<std::string>& calls,
                                     const std::string& address) {
  // From the background of a terminal with `stty tostop` a write would wait for the foreground.
  const bool is_in_background =
      ::isatty(STDOUT_FILENO) && ::tcgetpgrp(STDOUT_FILENO) != ::getpgrp();
  if (is_in_background || std::exchange(printed_, calls) == calls) return;
  const std::string to = address == kDefaultRpcAddress ? "" : "--to " + address + ' ';
  for (const std::string& call : calls)
    std::printf("ringmaster call %s%s\n", to.c_str(), call.c_str());
  std::fflush(stdout);
}

}  // namespace ringmaster::master
