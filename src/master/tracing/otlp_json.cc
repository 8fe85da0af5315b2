#include "master/tracing/otlp_json.h"

#include <algorithm>
#include <string_view>

#include "base/telemetry/span_ids.h"
#include "base/version.h"
#include "master/admin/json_writer.h"
#include "master/admin/requests_json.h"

namespace ringmaster::master {
namespace {

using telemetry::Event;
using telemetry::EventKind;

enum SpanKind : uint64_t { kInternal = 1, kServer = 2, kClient = 3 };
constexpr uint64_t kStatusError = 2;

// The stages that have spans.
bool is_stage_end(const Event& event) {
  return event.kind == EventKind::kFetchEnded || event.kind == EventKind::kPublished ||
         event.kind == EventKind::kRunEnded || event.kind == EventKind::kLost;
}

void write_attribute(JsonWriter& json, std::string_view key, std::string_view type,
                     std::string_view value) {
  json.begin_object();
  json.member("key", key);
  json.begin_object("value");
  json.member(type, value);
  json.end_object();
  json.end_object();
}

class SpanWriter {
 public:
  SpanWriter(JsonWriter& json, const telemetry::Recorder& recorder, uint64_t unix_offset_ns)
      : json_(json), recorder_(recorder), unix_offset_ns_(unix_offset_ns) {}

  void write(const EndedRequest& request);

 private:
  struct Span {
    uint64_t id;
    uint64_t parent;  // 0: none
    SpanKind kind;
    std::string name;
  };

  const std::string& name_of(telemetry::NameId id) const { return recorder_.names().name_of(id); }
  // `end` says when the span began and ended, and how it ended.
  void begin(const Span& span, const TraceContext& trace, const Event& end);
  void end(const Event& end);
  void write_stage(const Event& event, uint64_t id, uint64_t parent, const TraceContext& trace);
  void write_text(std::string_view key, std::string_view value) {
    write_attribute(json_, key, "stringValue", value);
  }
  void write_number(std::string_view key, int64_t value) {
    write_attribute(json_, key, "intValue", std::to_string(value));
  }

  JsonWriter& json_;
  const telemetry::Recorder& recorder_;
  const uint64_t unix_offset_ns_;
};

void SpanWriter::begin(const Span& span, const TraceContext& trace, const Event& end) {
  // A refused request took no time: its took_ns is its predicted run time.
  const uint64_t took_ns = end.kind == EventKind::kRefused ? 0 : std::min(end.took_ns, end.at_ns);
  json_.begin_object();
  json_.member("traceId", trace_id(trace));
  json_.member("spanId", span_id(span.id));
  if (span.parent != 0) json_.member("parentSpanId", span_id(span.parent));
  json_.member("name", span.name);
  json_.member("kind", uint64_t{span.kind});
  json_.member("startTimeUnixNano", std::to_string(unix_offset_ns_ + end.at_ns - took_ns));
  json_.member("endTimeUnixNano", std::to_string(unix_offset_ns_ + end.at_ns));
  json_.begin_array("attributes");
}

void SpanWriter::end(const Event& end) {
  const bool is_lost = end.kind == EventKind::kLost;
  const std::string reason = is_lost ? "worker_died" : name_of(end.reason);
  const bool has_failed = end.code != 0 || is_lost;
  if (has_failed && !reason.empty()) write_text("error.type", reason);
  if (end.code != 0) write_number("rpc.jsonrpc.error_code", end.code);
  json_.end_array();
  if (has_failed) {
    json_.begin_object("status");
    json_.member("code", kStatusError);
    if (!reason.empty()) json_.member("message", reason);
    json_.end_object();
  }
  json_.end_object();
}

void SpanWriter::write_stage(const Event& event, uint64_t id, uint64_t parent,
                             const TraceContext& trace) {
  const std::string where = where_text(event, recorder_.names());
  const bool is_fetch = event.kind == EventKind::kFetchEnded;
  const std::string name = is_fetch                              ? "fetch " + where
                           : event.kind == EventKind::kPublished ? "queue"
                                                                 : "run";
  begin({id, parent, is_fetch ? kClient : kInternal, name}, trace, event);
  if (is_fetch) {
    write_text("peer.service", where);
    if (event.code == 0 && event.reason != 0)
      write_text("ringmaster.fetch_result", name_of(event.reason));
  } else if (!where.empty()) {
    write_number("ringmaster.worker", event.where);
  }
  end(event);
}

void SpanWriter::write(const EndedRequest& request) {
  const Event& last = request.story.back();
  // A request that was refused early has no number of its own.
  const uint64_t number = last.request != 0 ? last.request : ~request.number;
  const TraceContext trace =
      request.trace.is_known() ? request.trace : telemetry::new_trace(number);
  const uint64_t parent = telemetry::request_span(number);
  const std::string& method = name_of(last.method);
  begin({parent, trace.parent, kServer, method.empty() ? "(no such method)" : method}, trace, last);
  write_text("rpc.system", "jsonrpc");
  if (!method.empty()) write_text("rpc.method", method);
  if (last.request != 0) write_number("ringmaster.request", static_cast<int64_t>(last.request));
  write_text("ringmaster.client", recorder_.clients().name_of(last.client));
  end(last);
  for (size_t i = 0; i < request.story.size(); ++i) {
    const Event& event = request.story[i];
    if (!is_stage_end(event)) continue;
    const uint64_t id = event.kind == EventKind::kFetchEnded
                            ? telemetry::fetch_span(number, event.step)
                            : telemetry::stage_span(number, i);
    write_stage(event, id, parent, trace);
  }
}

}  // namespace

size_t spans_of(const EndedRequest& request) {
  return 1 + static_cast<size_t>(
                 std::count_if(request.story.begin(), request.story.end(), is_stage_end));
}

std::string otlp_json(std::span<const EndedRequest> requests, const telemetry::Recorder& recorder,
                      const std::string& service, uint64_t unix_offset_ns) {
  JsonWriter json;
  json.begin_object();
  json.begin_array("resourceSpans");
  json.begin_object();
  json.begin_object("resource");
  json.begin_array("attributes");
  write_attribute(json, "service.name", "stringValue", service);
  json.end_array();
  json.end_object();
  json.begin_array("scopeSpans");
  json.begin_object();
  json.begin_object("scope");
  json.member("name", "ringmaster");
  json.member("version", kVersion);
  json.end_object();
  json.begin_array("spans");
  SpanWriter writer(json, recorder, unix_offset_ns);
  for (const EndedRequest& request : requests)
    writer.write(request);
  json.end_array();
  json.end_object();
  json.end_array();
  json.end_object();
  json.end_array();
  json.end_object();
  return json.take();
}

}  // namespace ringmaster::master
