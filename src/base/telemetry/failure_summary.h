// FailureSummary: counts failed requests, for at most one log line a second for each combination of
// method, reason, upstream, and stage of a missed deadline.
//
// The first failed request gives a line at once. Further ones within a second are counted, and give
// one line when that second is over.
// Pure; one thread. Cost: one addition for a request that is answered with a result.
// Memory: one entry for each such combination that occurred. All names come from the configuration
// or from this program: no client and no handler can add one.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/telemetry/event.h"

namespace ringmaster::telemetry {

class FailureSummary {
 public:
  static constexpr uint64_t kGapNs = 1'000'000'000;

  struct Line {
    Event first;          // the end of the first request that is counted
    NameId upstream = 0;  // the upstream that has failed; 0: none
    std::optional<Stage> missed_in = {};
    uint64_t count = 0;
    uint64_t client_count = 0;  // of these, the failures of the first one's client
    uint64_t of = 0;  // the method's requests that ended since the last line or in this second
  };

  // A request has ended with this event. `missed_in`: see stages.h. Returns the line that is due
  // now.
  std::optional<Line> count(const Event& end, NameId upstream,
                            std::optional<Stage> missed_in = std::nullopt);
  // The lines of the seconds that are over.
  std::vector<Line> take_due(uint64_t now_ns);

 private:
  struct Ended {
    uint64_t count = 0;          // all requests of the method
    uint64_t second_ns = 0;      // the beginning of the second that is counted now
    uint64_t before_second = 0;  // `count` at that time
  };
  struct Entry {
    Line line;
    uint64_t next_ns = 0;       // the earliest time of the next line
    uint64_t ended_before = 0;  // the method's Ended::count at the last line
  };

  Ended& ended(NameId method);
  Line take(Entry& entry, uint64_t now_ns);

  std::vector<Ended> ended_;                     // by method
  std::unordered_map<uint64_t, Entry> entries_;  // see key_of()
  size_t waiting_ = 0;                           // entries whose count is not 0
};

}  // namespace ringmaster::telemetry
