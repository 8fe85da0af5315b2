// Event: one thing that happened to a request or to a worker: a record of fixed size.
//
// The list of kinds is closed. Metrics, traces, the status page and the summaries in the log are
// views of these records, so they can show only what an event says.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/traceparent.h"

namespace ringmaster::telemetry {

enum class EventKind : uint8_t {
  // The request was answered with an error before it became a job. took: the predicted run time of
  // its method; 0: not known. code, reason: of the error.
  kRefused,
  kAdmitted,    // the request became a job; took: as for kRefused
  kFetchBegun,  // where: the upstream
  // where: the upstream; took: since kFetchBegun; code, reason: of a failure. Without a failure,
  // reason: how the fetch got an answer that others may share ("hit"); none: no other fetch may.
  kFetchEnded,
  kQueued,       // a run step waits for a worker; not recorded if it is published at once
  kPublished,    // a worker may take the step; took: since the step began to wait
  kRunEnded,     // where: the worker; took: the run; code: 0, or of the handler's error
  kLost,         // the step's worker died; where: the worker, or kNowhere; took: since kPublished
  kExpired,      // the request's deadline is over; where: the Stage at that time
  kAnswered,     // took: since kAdmitted; code, reason: of the error; 0: the answer is a result
  kCancelled,    // took: since kAdmitted; code: -32800, or 0: the client is gone
  kWorkerUp,     // where: the worker
  kWorkerEnded,  // where: the worker; reason: why; took: since its fork
};
inline constexpr size_t kEventKinds = 13;

// Snake case, by kind.
inline constexpr std::array<std::string_view, kEventKinds> kEventNames = {
    "refused", "admitted", "fetch_begun", "fetch_ended", "queued",    "published",   "run_ended",
    "lost",    "expired",  "answered",    "cancelled",   "worker_up", "worker_ended"};

// Where a request was when its deadline was over.
enum class Stage : uint8_t { kFetch, kQueue, kRun };
inline constexpr size_t kStages = 3;
inline constexpr std::array<std::string_view, kStages> kStageNames = {"fetch", "queue", "run"};

// Codes of rpc/errors.h, which is on a higher floor.
inline constexpr int32_t kOverloaded = -32009;
inline constexpr int32_t kDeadlineExceeded = -32012;
inline constexpr int32_t kUpstreamFailed = -32015;

inline constexpr uint16_t kNowhere = 0xffff;

// A name in a Names table; 0: none.
using NameId = uint16_t;

struct Event {
  uint64_t at_ns = 0;     // by the clock of base/clock.h
  uint64_t took_ns = 0;   // see the kind
  uint64_t request = 0;   // the log's request=; 0: the event has no request
  uint64_t previous = 0;  // the number of this request's event before this one; 0: none
  int32_t code = 0;       // of an error, see rpc/errors.h
  uint32_t client = 0;    // its index in the table of clients
  NameId method = 0;
  NameId reason = 0;   // an error's reason
  uint16_t where = 0;  // a worker's slot, or an upstream's NameId
  EventKind kind = EventKind::kRefused;
  uint8_t step = 0;  // index in the method's steps
};
static_assert(sizeof(Event) == 48);

// The part of an event that comes from its request.
struct Trail {
  uint64_t request = 0;
  uint64_t last = 0;  // the number of the request's last event
  uint32_t client = 0;
  NameId method = 0;
  TraceContext trace = {};  // came with the request
};

// The rest of an event, besides its trail, kind and time.
struct What {
  uint64_t took_ns = 0;
  int32_t code = 0;
  NameId reason = 0;
  uint16_t where = 0;
  uint8_t step = 0;
};

}  // namespace ringmaster::telemetry
