#include "master/supervisor/frozen_watch.h"

namespace ringmaster::master {

std::optional<ProcessLook> FrozenWatch::on_tick(uint32_t limit_ticks, const LookAt& look_at,
                                                Excuse excuse) {
  if (limit_ticks == 0) {
    waited_ticks_ = 0;
    return std::nullopt;
  }
  const bool is_first = waited_ticks_ == 0;
  if (waited_ticks_++ % limit_ticks != 0) return std::nullopt;
  const std::optional<ProcessLook> look = look_at();
  if (!look) {  // the process has ended: its exit will be reported
    waited_ticks_ = 0;
    return std::nullopt;
  }
  if (is_first) first_cpu_ns_ = look->cpu_ns;
  const bool is_excused = excuse == Excuse::kCpuTime && look->cpu_ns != last_cpu_ns_;
  const bool is_frozen = !is_first && look->state != 'R' && !is_excused;
  const bool is_spinning = look->cpu_ns >= first_cpu_ns_ + kSpinNs;
  last_cpu_ns_ = look->cpu_ns;
  return is_frozen || is_spinning ? look : std::nullopt;
}

}  // namespace ringmaster::master
