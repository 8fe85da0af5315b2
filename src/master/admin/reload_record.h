// ReloadRecord: how often this master has reloaded, and the results of the last reloads, for
// `ringmaster reload --wait`.
//
// A client that reads `begun` as N and then sends SIGHUP is answered by the first reload with a
// number above N: that reload has read the configuration after the client asked. Signals that
// arrive during a reload are merged into one reload, which answers all of their senders.
// Processes: the master only.
// Limits:    kKept results, each with a reason of at most kReasonBytesMax bytes.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace ringmaster::master {

class ReloadRecord {
 public:
  static constexpr size_t kKept = 8;
  static constexpr size_t kReasonBytesMax = 1000;

  void begin() { ++begun_; }
  // The reload that began last has ended, and `generation` serves. `failure`: why the reload
  // failed; empty: it succeeded.
  void end(uint32_t generation, int64_t unix_s, std::string failure);

  // Why the last reload failed; empty: it succeeded, or there was none.
  const std::string& failure() const { return failure_; }

  // One line:
  //   {"pid":812,"configuration":"/etc/ringmaster/ringmaster.toml","state":"serving","begun":2,
  //    "ended":[{"reload":1,"ok":true,"generation":2,"unix_s":1795887000},
  //             {"reload":2,"ok":false,"generation":2,"unix_s":1795887060,"reason":"..."}]}
  // `state`: "starting", "serving", "reloading" or "stopping".
  std::string to_json(int pid, std::string_view configuration, std::string_view state) const;

 private:
  struct Ended {
    uint64_t number;
    uint32_t generation;
    int64_t unix_s;
    std::string reason;  // empty: it succeeded
  };

  uint64_t begun_ = 0;
  std::deque<Ended> ended_;  // the oldest first
  std::string failure_;
};

}  // namespace ringmaster::master
