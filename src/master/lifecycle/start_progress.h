// StartProgress: whether a start or a reload moves, and the manager is to be asked for more time.
//
//   the files of a reload are read   yes, for kReadLooksMax looks: from outside, a slow file system
//                                    cannot be told from one that hangs
//   handlers load                    if the fork server has used CPU time since the last look
//   workers start, jobs are          yes: workers.start_timeout_ms limits both
//   rehearsed
//
// Pure. Watchdog looks once a second.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

namespace ringmaster::master {

class StartProgress {
 public:
  static constexpr int kReadLooksMax = 60;

  struct Look {
    bool is_starting = false;  // a start or a reload is under way
    bool is_reading = false;   // its files are read
    // The CPU time that the fork server has used so far. Empty: no handlers load.
    std::optional<uint64_t> load_cpu_ns = {};
  };

  bool has_moved(const Look& look) {
    const uint64_t before_ns = std::exchange(load_cpu_ns_, look.load_cpu_ns.value_or(0));
    reads_ = look.is_reading ? reads_ + 1 : 0;
    if (!look.is_starting) return false;
    if (look.is_reading) return reads_ <= kReadLooksMax;
    return !look.load_cpu_ns || *look.load_cpu_ns != before_ns;
  }

 private:
  uint64_t load_cpu_ns_ = 0;  // at the last look
  int reads_ = 0;             // looks in a row at which files were read
};

}  // namespace ringmaster::master
