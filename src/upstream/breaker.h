// Breaker: whether an upstream, or one of its addresses, may be asked, judged by how fetches end.
//
// Pure: no I/O, no clock. Not for several threads.
// Opens:    a failure costs what it took, in units of the recent mean time of an answer: 1 at
//           least, 2 at most. The costs add up in two windows, and each answer shrinks their sums.
//           The short window opens the breaker of an upstream after 10 quick failures or 5 timeouts
//           in a row, the long one where about a quarter of all fetches fails. The breaker of an
//           address opens after 5 or 3 in a row, or where a sixth fails: others take its fetches.
// Isolates: no fetch passes for 100 ms. A failed probe doubles this time, up to 800 ms, so that a
//           recovery is seen in a second. A relapse, an opening within 10 s of the last closing,
//           doubles it, too: for an upstream up to 800 ms, for an address up to 12.8 s.
// Probes:   when that time is over, one fetch passes, and one more after each such time. The first
//           answer closes the breaker, with both sums at half of their limits; after each relapse
//           nearer to them.
// Source:   brpc, docs/en/circuit_breaker.md and src/brpc/circuit_breaker.cpp. Ours differ in the
//           least cost, without which refused connections cost nothing, and in shorter windows.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "base/telemetry/moving_average.h"

namespace ringmaster::upstream {

class Breaker {
 public:
  static constexpr uint64_t kIsolationMinNs = 100 * kNsPerMs;
  static constexpr uint64_t kIsolationMaxNs = 800 * kNsPerMs;  // after failed probes

  struct Limits {
    double failures;            // quick ones in a row that open the breaker
    uint64_t isolation_max_ns;  // after relapses
  };
  static constexpr Limits kUpstream{10, kIsolationMaxNs};
  static constexpr Limits kAddress{5, 16 * kIsolationMaxNs};
  explicit Breaker(const Limits& limits = kUpstream)
      : isolation_max_ns_(limits.isolation_max_ns),
        short_{0.822, limits.failures},
        long_{0.9922, 5 * limits.failures} {}

  // try_pass() gives a Pass to each fetch that may be sent. Once the breaker has opened or closed,
  // the ends of fetches that passed earlier do not count.
  using Pass = uint64_t;
  enum class Change : uint8_t { kNone, kOpened, kClosed };

  // Nothing: the breaker is open, and no probe is due.
  std::optional<Pass> try_pass(uint64_t now_ns);
  // How a fetch with this pass ended. An end that says nothing about the upstream is not reported.
  Change on_answer(Pass pass, uint64_t took_ns, uint64_t now_ns);
  Change on_failure(Pass pass, uint64_t took_ns, uint64_t now_ns);
  // The next probe may pass within kIsolationMaxNs.
  void hasten_probe(uint64_t now_ns);
  // Closes the breaker, as a probe's answer does; its next opening is no relapse.
  void forgive(uint64_t now_ns);

  bool is_open() const { return is_open_; }
  // Until the next probe may pass. REQUIRES: is_open().
  uint64_t wait_ns(uint64_t now_ns) const { return probe_ns_ > now_ns ? probe_ns_ - now_ns : 0; }
  // When it last opened.
  uint64_t opened_ns() const { return opened_ns_; }
  // How full the short window is: from 0, if no fetch has failed lately, to 1.
  double cost() const { return short_.sum / short_.limit; }

 private:
  struct Window {
    double kept;   // the part of the sum that an answer leaves
    double limit;  // the sum that opens the breaker
    double sum = 0;
  };

  void isolate(uint64_t now_ns);
  void close(uint64_t now_ns);

  uint64_t isolation_max_ns_;
  Window short_;  // 2 % are left after 20 answers
  Window long_;   // 2 % are left after 500 answers
  telemetry::MovingAverage answer_ns_{64};
  Pass pass_ = 0;  // of fetches that pass now
  bool is_open_ = false;
  double left_ = 0;  // the part of the limits that the sums leave when it closes
  uint64_t isolation_ns_ = 0;
  uint64_t opened_ns_ = 0;
  uint64_t closed_ns_ = 0;
  uint64_t probe_ns_ = 0;  // when the next probe may pass
};

}  // namespace ringmaster::upstream
