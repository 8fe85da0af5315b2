#include "master/tracing/trace_exporter.h"

#include <algorithm>
#include <charconv>
#include <ctime>

#include "base/clock.h"
#include "base/json/scan.h"
#include "base/log.h"
#include "base/telemetry/span_ids.h"

namespace ringmaster::master {
namespace {

constexpr uint64_t kAnswerMs = 10'000;
constexpr uint64_t kAnswerBytesMax = 64 << 10;
constexpr uint64_t kFirstRetryMs = 1000;
constexpr uint64_t kLastRetryMs = 32'000;
constexpr uint64_t kBetweenLogsNs = 60 * kNsPerS;

upstream::UpstreamOptions collector(const Telemetry& options) {
  const size_t host = options.otlp.find("://") + 3;
  const size_t path = options.otlp.find('/', host);
  upstream::UpstreamOptions its;
  its.name = "telemetry.otlp";
  its.url = options.otlp;
  if (path == std::string::npos) its.url += '/';
  if (path == std::string::npos || path + 1 == options.otlp.size()) its.url += "v1/traces";
  its.timeout_ms = kAnswerMs;
  its.connections = 1;
  its.body_bytes = kAnswerBytesMax;
  return its;
}

// Add it to an event's time, which is of base/clock.h, to get the time since 1970.
uint64_t unix_offset_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * kNsPerS + static_cast<uint64_t>(now.tv_nsec) -
         now_ns();
}

// An answer with a status outside kAgain says that the batch itself is wrong. "too_large" is a
// success whose body is no answer of a collector: the next one would be as long. Any other reason
// means that no complete answer came: the batch may be sent again.
bool may_try_again(std::string_view reason) {
  if (reason == "too_large") return false;
  constexpr std::string_view kAgain[] = {"http_429", "http_502", "http_503", "http_504"};
  return !reason.starts_with("http_") || std::ranges::find(kAgain, reason) != std::end(kAgain);
}

// How many spans the collector says it did not take: a number, which JSON may have as a string.
uint64_t rejected_spans(std::string_view answer) {
  std::string_view text = json::find_member(answer, "partialSuccess.rejectedSpans");
  if (text.starts_with('"')) text.remove_prefix(1);
  uint64_t count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return count;
}

}  // namespace

TraceExporter::TraceExporter(uv_loop_t* loop, telemetry::Recorder& recorder)
    : loop_(loop), recorder_(recorder), timer_(make_handle<uv_timer_t>(loop, this, uv_timer_init)) {
  recorder.add_view(
      [this](const telemetry::Event& end, uint64_t number, const TraceContext& trace) {
        ++ended_;
        if (http_client_ != nullptr && is_wanted(end, trace)) on_end(number, trace);
      });
}

uint64_t TraceExporter::descriptors_max(const Telemetry& options) {
  return options.otlp.empty() ? 0 : upstream::HttpClient::descriptors_max(collector(options));
}

Status TraceExporter::configure(const Telemetry& options) {
  if (options == options_) return {};
  std::unique_ptr<upstream::HttpClient> next;
  if (!options.otlp.empty()) {
    auto made = upstream::HttpClient::create(loop_, collector(options));
    if (!made) return tl::unexpected(made.error());
    next = std::move(*made);
  }
  options_ = options;
  http_client_ = std::move(next);  // cancels what the former client is sending
  is_sending_ = false;
  retry_ms_ = 0;
  if (http_client_ != nullptr) {
    wake_in(kBatchMs);
  } else {
    drop_all("telemetry.otlp is off now");
  }
  return {};
}

void TraceExporter::finish() {
  is_finishing_ = true;
  if (!has_spans()) return;
  send();
  uv_timer_start(
      timer_.get(),
      [](uv_timer_t* timer) {
        static_cast<TraceExporter*>(timer->data)->drop_all("the server ends");
      },
      kLastMs, 0);
}

bool TraceExporter::is_wanted(const telemetry::Event& end, const TraceContext& trace) const {
  if (end.code != 0 || end.took_ns >= options_.slow_ms * kNsPerMs) return true;
  if (trace.is_known()) return trace.is_sampled;
  return options_.one_of != 0 && telemetry::request_span(ended_) % options_.one_of == 0;
}

void TraceExporter::on_end(uint64_t number, const TraceContext& trace) {
  EndedRequest request{recorder_.ring().story(number), ended_, trace};
  const size_t spans = spans_of(request);
  if (queued_spans_ + spans > kQueueSpans) return drop(spans, "the queue is full");
  queue_.push_back(std::move(request));
  queued_spans_ += spans;
  if (is_sending_ || !batch_.empty()) return;
  if (is_finishing_) return finish();
  if (queued_spans_ >= kBatchSpans) {
    wake_in(0);
  } else if (uv_is_active(reinterpret_cast<uv_handle_t*>(timer_.get())) == 0) {
    wake_in(kBatchMs);
  }
}

void TraceExporter::wake_in(uint64_t ms) {
  uv_timer_start(
      timer_.get(), [](uv_timer_t* timer) { static_cast<TraceExporter*>(timer->data)->send(); }, ms,
      0);
}

// Takes the first requests, of at most kBatchSpans spans together.
void TraceExporter::take_batch() {
  size_t count = 0;
  for (; count < queue_.size(); ++count) {
    const size_t spans = spans_of(queue_[count]);
    if (count > 0 && batch_spans_ + spans > kBatchSpans) break;
    batch_spans_ += spans;
  }
  batch_ = otlp_json(std::span(queue_).first(count), recorder_, options_.service, unix_offset_ns());
  queue_.erase(queue_.begin(), queue_.begin() + static_cast<ptrdiff_t>(count));
  queued_spans_ -= batch_spans_;
}

void TraceExporter::send() {
  if (is_sending_ || http_client_ == nullptr) return;
  if (batch_.empty()) take_batch();
  if (batch_spans_ == 0) return batch_.clear();
  is_sending_ = true;
  answer_.clear();
  upstream::HttpClient::Request request;
  request.body = batch_;
  request.timeout_ms = kAnswerMs;
  request.on_bytes = [this](std::string_view bytes, uint64_t) {
    answer_ += bytes;
    return true;
  };
  static const std::vector<std::string> kHeaders = {"Content-Type: application/json",
                                                    "Accept: application/json"};
  request.method = "POST";
  request.constant_headers = kHeaders;
  request.on_done = [this](const std::optional<upstream::HttpClient::Failure>& failure, uint64_t) {
    on_answer(failure);
  };
  http_client_->start(std::move(request));
}

void TraceExporter::on_answer(const std::optional<upstream::HttpClient::Failure>& failure) {
  is_sending_ = false;
  if (failure && may_try_again(failure->reason)) {
    if (is_finishing_) return drop_all(failure->message);
    if (retry_ms_ == 0) log(Level::kWarning, "collector_unavailable", {{"why", failure->message}});
    retry_ms_ = retry_ms_ == 0 ? kFirstRetryMs : std::min(2 * retry_ms_, kLastRetryMs);
    return wake_in(retry_ms_);
  }
  retry_ms_ = 0;
  if (failure) {
    drop(batch_spans_, failure->message);
  } else {
    const uint64_t rejected = std::min<uint64_t>(rejected_spans(answer_), batch_spans_);
    rejected_ += rejected;
    sent_ += batch_spans_ - rejected;
  }
  batch_.clear();
  batch_spans_ = 0;
  if (queue_.empty()) return;
  if (is_finishing_) return send();
  wake_in(queued_spans_ >= kBatchSpans ? 0 : kBatchMs);
}

void TraceExporter::drop(size_t spans, std::string_view why) {
  if (spans == 0) return;
  dropped_ += spans;
  dropped_since_log_ += spans;
  if (now_ns() < next_log_ns_) return;
  log(Level::kWarning, "traces_dropped", {{"spans", dropped_since_log_}, {"why", why}});
  dropped_since_log_ = 0;
  next_log_ns_ = now_ns() + kBetweenLogsNs;
}

void TraceExporter::drop_all(std::string_view why) {
  drop(queued_spans_ + batch_spans_, why);
  queue_.clear();
  batch_.clear();
  queued_spans_ = batch_spans_ = 0;
  uv_timer_stop(timer_.get());
}

}  // namespace ringmaster::master
