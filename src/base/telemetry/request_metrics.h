// RequestMetrics: the sums of all events, for /metrics, the status page and `ringmaster top`.
//
// Pure; one thread. All sums only grow. Memory: some kilobytes for each method, and for each method
// and upstream; 16 bytes for each client. A handler may choose any codes: beyond kErrorsMax, codes
// that are not this program's are counted under the code 0 and the reason Names::kOther.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "base/telemetry/event.h"
#include "base/telemetry/event_ring.h"
#include "base/telemetry/latency_histogram.h"

namespace ringmaster::telemetry {

class RequestMetrics {
 public:
  static constexpr size_t kErrorsMax = 100;  // codes and reasons of a method

  struct Fetches {
    LatencyHistogram took;              // of all fetches, failed ones included
    std::map<NameId, uint64_t> failed;  // by reason
  };
  struct Method {
    bool is_expected = false;                               // see expect()
    uint64_t ok = 0;                                        // answered with a result
    std::map<std::pair<int32_t, NameId>, uint64_t> errors;  // by code and reason
    uint64_t abandoned = 0;                                 // requests whose clients were gone
    uint64_t admitted = 0;
    uint64_t offered_ns = 0;  // the predicted run time of all requests, refused ones included
    uint64_t lost = 0;        // attempts whose worker died
    std::array<uint64_t, kStages> deadline_misses{};
    LatencyHistogram total;  // of requests that were answered with a result
    LatencyHistogram queue;
    LatencyHistogram run;
    std::map<NameId, Fetches> fetches;  // by upstream
    // By how much requests with a result took less, and more, time than admission predicted.
    LatencyHistogram early;
    LatencyHistogram late;
  };
  struct Client {
    uint64_t ok = 0;       // answered with a result
    uint64_t refused = 0;  // for want of workers, memory or places, or beyond the client's share
  };
  struct Worker {
    uint64_t ends = 0;
    uint64_t jobs = 0;
    uint64_t busy_ns = 0;
    uint64_t last_progress_ns = 0;  // when it came up, or last finished a job
  };

  // Adds a method of the server, and the upstreams that its steps ask. So their counts are shown as
  // 0 before the first request.
  void expect(NameId method, std::span<const NameId> upstreams);

  // `ring` has the event already.
  void count(const Event& event, const EventRing& ring);

  void count_prediction(NameId method_id, uint64_t predicted_ns, uint64_t took_ns) {
    Method& its = method(method_id);
    if (took_ns <= predicted_ns) {
      its.early.record(predicted_ns - took_ns);
    } else {
      its.late.record(took_ns - predicted_ns);
    }
  }

  // By NameId; methods without events are there, too, with zeros.
  const std::vector<Method>& methods() const { return methods_; }
  // By Event::client; clients without such requests may be missing.
  const std::vector<Client>& clients() const { return clients_; }
  const std::vector<Worker>& workers() const { return workers_; }
  const std::map<NameId, uint64_t>& worker_ends() const { return worker_ends_; }

 private:
  Method& method(NameId id) {
    if (id >= methods_.size()) methods_.resize(size_t{id} + 1);
    return methods_[id];
  }
  Client& client(uint32_t id) {
    if (id >= clients_.size()) clients_.resize(size_t{id} + 1);
    return clients_[id];
  }
  Worker& worker(uint16_t slot) {
    if (slot >= workers_.size()) workers_.resize(size_t{slot} + 1);
    return workers_[slot];
  }
  void count_error(const Event& event, const EventRing& ring);

  std::vector<Method> methods_;
  std::vector<Client> clients_;
  std::vector<Worker> workers_;             // by slot
  std::map<NameId, uint64_t> worker_ends_;  // by reason
};

}  // namespace ringmaster::telemetry
