// TraceExporter: sends traces of requests to a collector, by OTLP over HTTP.
//
// Which:   all requests that failed or took slow_ms. Of the others a traceparent, if there is one,
//          says whether the request is sampled; without one, one request in `one_of` is sent.
// When:    kBatchSpans wait, or the first of them has waited for kBatchMs; one batch at a time.
// Limits:  kQueueSpans wait; further ones are dropped and counted. A batch is tried again, later
//          and later, while the collector cannot be reached or answers 429, 502, 503 or 504; after
//          any other error it is dropped. When the server ends, it sends at once what waits, and
//          drops spans that the collector has not taken after kLastMs.
// Cost:    a request that is not sent costs a comparison.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/telemetry/recorder.h"
#include "base/uv_handle.h"
#include "config/options.h"
#include "master/tracing/otlp_json.h"
#include "upstream/http_client.h"

namespace ringmaster::master {

class TraceExporter {
 public:
  static constexpr size_t kBatchSpans = 512;
  static constexpr size_t kQueueSpans = 8 * kBatchSpans;
  static constexpr uint64_t kBatchMs = 1000;
  static constexpr uint64_t kLastMs = 1000;

  // `recorder` must outlive the exporter, and record nothing after the exporter's end.
  TraceExporter(uv_loop_t* loop, telemetry::Recorder& recorder);

  // Sends by these options from now on.
  [[nodiscard]] Status configure(const Telemetry& options);
  // Sends what waits, and from now on each request as soon as it ends. Some requests end later:
  // those in a message that is still being parsed are refused afterwards.
  void finish();
  // False once all spans are sent or dropped.
  bool has_spans() const { return queued_spans_ + batch_spans_ > 0; }

  // Spans so far: "sent", "dropped" (no place, or the collector did not take them), "rejected" (by
  // the collector, as it said).
  std::array<std::pair<std::string_view, uint64_t>, 3> spans() const {
    return {{{"sent", sent_}, {"dropped", dropped_}, {"rejected", rejected_}}};
  }
  // The most descriptors that an exporter uses.
  static uint64_t descriptors_max(const Telemetry& options);

 private:
  void on_end(uint64_t number, const TraceContext& trace);
  bool is_wanted(const telemetry::Event& end, const TraceContext& trace) const;
  void wake_in(uint64_t ms);
  void take_batch();
  void send();
  void on_answer(const std::optional<upstream::HttpClient::Failure>& failure);
  void drop(size_t spans, std::string_view why);
  void drop_all(std::string_view why);

  uv_loop_t* loop_;
  telemetry::Recorder& recorder_;
  Telemetry options_;
  std::unique_ptr<upstream::HttpClient> http_client_;  // null: nothing is sent
  UvHandle<uv_timer_t> timer_;
  std::vector<EndedRequest> queue_;
  size_t queued_spans_ = 0;
  std::string batch_;  // the batch's body, until the collector has taken it; empty: no batch
  size_t batch_spans_ = 0;
  bool is_sending_ = false;
  bool is_finishing_ = false;
  uint64_t retry_ms_ = 0;
  std::string answer_;  // of the collector
  uint64_t ended_ = 0;  // requests that have ended, whether sent or not
  uint64_t sent_ = 0;
  uint64_t dropped_ = 0;
  uint64_t rejected_ = 0;
  uint64_t next_log_ns_ = 0;
  uint64_t dropped_since_log_ = 0;
};

}  // namespace ringmaster::master
