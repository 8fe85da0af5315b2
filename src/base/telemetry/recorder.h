// Recorder: takes the events of all requests and workers, and keeps what its views need.
//
// Processes: the master only; there is one.
// Cost:      an event is one store of 48 bytes and a few counts. No clock is read: the caller has
//            the time already.
// Memory:    the ring, the ids and the kept requests, all bounded: see EventRing, RequestIds and
//            KeptRequests. Clients beyond kClientsMax share the name "(other)".
// Limits:    a refused request has one event. Of such events, one in kRefusalGapNs stays in the
//            ring. The views see all of them.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/telemetry/event.h"
#include "base/telemetry/event_ring.h"
#include "base/telemetry/kept_requests.h"
#include "base/telemetry/names.h"
#include "base/telemetry/recent_counts.h"
#include "base/telemetry/request_ids.h"
#include "base/telemetry/request_metrics.h"

namespace ringmaster::telemetry {

// False only in `make BUILD=norecorder`, which shows what recording costs: docs/performance.md.
#ifdef WITHOUT_RECORDER
inline constexpr bool kRecords = false;
#else
inline constexpr bool kRecords = true;
#endif

class Recorder {
 public:
  static constexpr uint32_t kClientsMax = 4096;
  static constexpr size_t kStacksMax = 64;
  static constexpr uint64_t kRefusalGapNs = 10'000'000;

  // For names of methods, upstreams and reasons: all from the configuration or from this program.
  NameId name(std::string_view text) { return static_cast<NameId>(names_.id_of(text)); }
  uint32_t client(std::string_view text) { return clients_.id_of(text); }
  const Names& names() const { return names_; }
  // See RequestMetrics.
  void expect(NameId method, std::span<const NameId> upstreams) {
    metrics_.expect(method, upstreams);
  }
  const Names& clients() const { return clients_; }

  // Records the next event of this request.
  void record(Trail& trail, EventKind kind, uint64_t at_ns, const What& what = {}) {
    if constexpr (!kRecords) return;
    trail.last =
        ring_.append({at_ns, what.took_ns, trail.request, trail.last, what.code, trail.client,
                      trail.method, what.reason, what.where, kind, what.step});
    on_event(trail.last, trail.trace);
  }
  // Records an event of no request.
  void record(EventKind kind, uint64_t at_ns, const What& what) {
    Trail none;
    record(none, kind, at_ns, what);
  }

  // The time that admission predicted for a request with a result, and the time that it took.
  void record_prediction(const Trail& trail, uint64_t predicted_ns, uint64_t took_ns) {
    if constexpr (!kRecords) return;
    metrics_.count_prediction(trail.method, predicted_ns, took_ns);
  }

  // The id that the client gave to this request: see RequestIds.
  void note_id(uint64_t request, std::string_view id) {
    if constexpr (!kRecords) return;
    ids_.note(request, id);
  }
  std::string_view id_of(uint64_t request) const { return ids_.id_of(request); }

  // Called for each event that ends a request (refused, answered, cancelled), with its number and
  // the trace that came with the request. Afterwards the ring may have forgotten the event.
  using OnEnd = std::function<void(const Event& event, uint64_t number, const TraceContext& trace)>;
  void add_view(OnEnd on_end) { views_.push_back(std::move(on_end)); }

  // The stack that a worker had while it ran this request, as lines: see worker/crash/
  // crash_report.h. The newest kStacksMax are kept. Null: there is none.
  void keep_stack(uint64_t request, std::string stack) {
    if (stacks_.size() == kStacksMax) stacks_.pop_front();
    stacks_.emplace_back(request, std::move(stack));
  }
  const std::string* stack_of(uint64_t request) const {
    for (const auto& [its, stack] : stacks_)
      if (its == request) return &stack;
    return nullptr;
  }

  const EventRing& ring() const { return ring_; }
  const RequestMetrics& metrics() const { return metrics_; }
  // Of the client of this name. Zeros: it has none, or they are among those of "(other)".
  RequestMetrics::Client counts_of(std::string_view client) const {
    const uint32_t id = clients_.find(client);
    return id < metrics_.clients().size() ? metrics_.clients()[id] : RequestMetrics::Client{};
  }
  // The metrics as they were: see RecentCounts::find().
  RecentCounts::Former metrics_at(uint64_t at_ns) const { return recent_.find(metrics_, at_ns); }
  const KeptRequests& kept() const { return kept_; }

 private:
  void on_event(uint64_t number, const TraceContext& trace);
  bool may_stay(const Event& end);
  void on_end(const Event& event, uint64_t number, const TraceContext& trace);

  Names names_{UINT16_MAX};
  Names clients_{kClientsMax};
  EventRing ring_;
  RequestIds ids_;
  RequestMetrics metrics_;
  RecentCounts recent_;
  KeptRequests kept_;
  std::vector<OnEnd> views_;
  uint64_t next_refusal_ns_ = 0;                         // until then no refusal stays in the ring
  std::deque<std::pair<uint64_t, std::string>> stacks_;  // by request
};

}  // namespace ringmaster::telemetry
