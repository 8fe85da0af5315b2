#include "master/admin/requests_json.h"

#include <optional>

#include "base/telemetry/stories.h"
#include "master/admin/json_writer.h"

namespace ringmaster::master {
namespace {

using telemetry::Event;
using telemetry::EventKind;
using telemetry::KeptRequests;
using telemetry::Recorder;
using telemetry::Story;

void write_event(JsonWriter& json, const Event& event, const telemetry::Names& names) {
  json.begin_object();
  json.member("kind", telemetry::kEventNames[static_cast<size_t>(event.kind)]);
  json.member("at_us", event.at_ns / 1000);
  if (event.took_ns > 0) json.member("took_us", event.took_ns / 1000);
  if (const std::string where = where_text(event, names); !where.empty())
    json.member("where", where);
  if (event.code != 0) json.member("code", event.code);
  if (event.reason != 0) json.member(reason_key(event), names.name_of(event.reason));
  if (event.step != 0) json.member("step", event.step);
  json.end_object();
}

void write_story(JsonWriter& json, const Story& story, std::string_view id,
                 std::optional<size_t> kept_class, const Recorder& recorder) {
  if (story.empty()) return;
  const Event& last = story.back();
  json.begin_object();
  json.member("request", last.request);
  if (!id.empty()) json.member("id", id);
  json.member("method", recorder.names().name_of(last.method));
  json.member("client", recorder.clients().name_of(last.client));
  if (kept_class) json.member("class", *kept_class);
  json.begin_array("events");
  for (const Event& event : story)
    write_event(json, event, recorder.names());
  json.end_array();
  json.end_object();
}

}  // namespace

std::string_view reason_key(const Event& event) {
  return event.kind == EventKind::kFetchEnded && event.code == 0 ? "result" : "reason";
}

std::string where_text(const Event& event, const telemetry::Names& names) {
  switch (event.kind) {
    case EventKind::kFetchBegun:
    case EventKind::kFetchEnded:
      return names.name_of(event.where);
    case EventKind::kRunEnded:
    case EventKind::kLost:
    case EventKind::kWorkerUp:
    case EventKind::kWorkerEnded:
      return event.where == telemetry::kNowhere ? "" : "worker " + std::to_string(event.where);
    case EventKind::kExpired:
      return std::string(telemetry::kStageNames[event.where]);
    default:
      return "";
  }
}

std::string recent_requests_json(const Recorder& recorder, uint64_t since, uint64_t now_ns) {
  JsonWriter json;
  json.begin_object();
  json.member("now_ns", now_ns);
  json.member("next", recorder.ring().next());
  json.begin_array("requests");
  for (const Story& story : telemetry::recent_stories(recorder.ring(), since, kRecentMax))
    write_story(json, story, recorder.id_of(story.back().request), std::nullopt, recorder);
  json.end_array();
  json.end_object();
  return json.take();
}

std::string kept_requests_json(const Recorder& recorder, uint64_t now_ns) {
  JsonWriter json;
  json.begin_object();
  json.member("now_ns", now_ns);
  json.begin_array("classes_ms");
  for (const uint64_t from_ns : KeptRequests::kFromNs)
    json.element(from_ns / 1'000'000);
  json.end_array();
  json.begin_array("requests");
  recorder.kept().for_each([&](size_t kept_class, const Story& story, std::string_view id) {
    write_story(json, story, id, kept_class, recorder);
  });
  json.end_array();
  json.end_object();
  return json.take();
}

}  // namespace ringmaster::master
