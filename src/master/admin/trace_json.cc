#include "master/admin/trace_json.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/telemetry/stories.h"
#include "master/admin/json_writer.h"
#include "master/admin/requests_json.h"

namespace ringmaster::master {
namespace {

using telemetry::Event;
using telemetry::EventKind;
using telemetry::Recorder;
using telemetry::Story;

enum Process : uint64_t { kWorkers = 1, kUpstreams = 2, kRequests = 3 };

double us(uint64_t ns) {
  return static_cast<double>(ns) / 1000;
}

uint64_t begin_of(const Event& event) {
  return event.at_ns - std::min(event.took_ns, event.at_ns);
}

// Of a trace that has all requests since some time.
struct Whole {
  uint64_t since_ns;
  size_t workers;
};

// Writes the events of stories. finish() writes the number of waiting requests, the rows' names and
// "otherData".
class TraceWriter {
 public:
  TraceWriter(const Recorder& recorder, uint64_t now_ns) : recorder_(recorder), now_ns_(now_ns) {
    json_.begin_object();
    json_.member("displayTimeUnit", "ms");
    json_.begin_array("traceEvents");
  }

  // `id`: the client's, see RequestIds.
  void write(const Story& story, std::string_view id);
  void write_worker(const Event& event);
  // `whole`: empty for kept requests.
  std::string finish(const std::optional<Whole>& whole);

 private:
  void begin(std::string_view phase, Process process, uint64_t row, std::string_view name,
             uint64_t at_ns) {
    json_.begin_object();
    json_.member("ph", phase);
    json_.member("pid", uint64_t{process});
    json_.member("tid", row);
    json_.member("name", name);
    json_.member("ts", us(at_ns));
  }
  // `end`: the event that ended the bar.
  void write_arguments(const Event& end) {
    json_.begin_object("args");
    json_.member("request", end.request);
    if (!id_.empty()) json_.member("id", id_);
    json_.member("method", recorder_.names().name_of(end.method));
    json_.member("client", recorder_.clients().name_of(end.client));
    json_.member("end", telemetry::kEventNames[static_cast<size_t>(end.kind)]);
    if (end.code != 0) json_.member("code", end.code);
    if (end.reason != 0) json_.member(reason_key(end), recorder_.names().name_of(end.reason));
    json_.end_object();
  }
  void write_span(Process process, std::string_view category, std::string_view name,
                  uint64_t begin_ns, const Event& end);
  void write_run(const Event& end);
  void write_flow(std::string_view phase, Process process, uint64_t row, uint64_t at_ns,
                  uint64_t request);
  void write_flows(const Story& story);
  void write_fetch_under_way(const Event& begun);
  void write_waiting();

  void name_row(std::string_view what, Process process, uint64_t row, std::string_view name) {
    json_.begin_object();
    json_.member("ph", "M");
    json_.member("pid", uint64_t{process});
    json_.member("tid", row);
    json_.member("name", what);
    json_.begin_object("args");
    json_.member("name", name);
    json_.end_object();
    json_.end_object();
  }

  const Recorder& recorder_;
  const uint64_t now_ns_;
  JsonWriter json_;
  std::string_view id_;  // of the story that is written
  std::set<uint16_t> workers_;
  std::map<uint64_t, int64_t> waiting_;  // by time: how many more requests wait than before
};

// Writes a bar that other bars may overlap.
void TraceWriter::write_span(Process process, std::string_view category, std::string_view name,
                             uint64_t begin_ns, const Event& end) {
  for (const bool is_begin : {true, false}) {
    begin(is_begin ? "b" : "e", process, 0, name, is_begin ? begin_ns : end.at_ns);
    json_.member("cat", category);
    json_.member("id", end.request);
    if (is_begin) write_arguments(end);
    json_.end_object();
  }
}

void TraceWriter::write_run(const Event& end) {
  if (end.where == telemetry::kNowhere) return;
  workers_.insert(end.where);
  begin("X", kWorkers, end.where, recorder_.names().name_of(end.method), begin_of(end));
  json_.member("cat", "run");
  json_.member("dur", us(end.took_ns));
  write_arguments(end);
  json_.end_object();
}

void TraceWriter::write_flow(std::string_view phase, Process process, uint64_t row, uint64_t at_ns,
                             uint64_t request) {
  begin(phase, process, row, "request", at_ns);
  json_.member("cat", "flow");
  json_.member("id", request);
  if (phase == "f") json_.member("bp", "e");  // binds to the bar around it
  json_.end_object();
}

// The arrows of a flow can start and end only at bars of phase X, not at those of write_span(). So
// the first and the last event of a request get short bars of phase X.
void TraceWriter::write_flows(const Story& story) {
  constexpr uint64_t kMarkNs = 1;
  const auto mark = [&](const Event& event, std::string_view phase) {
    begin("X", kRequests, 1, telemetry::kEventNames[static_cast<size_t>(event.kind)], event.at_ns);
    json_.member("cat", "mark");
    json_.member("dur", us(kMarkNs));
    write_arguments(event);
    json_.end_object();
    write_flow(phase, kRequests, 1, event.at_ns, event.request);
  };
  if (story.size() < 2) return;
  mark(story.front(), "s");
  for (const Event& event : story) {
    if (event.kind == EventKind::kRunEnded)
      write_flow("t", kWorkers, event.where, begin_of(event), event.request);
  }
  mark(story.back(), "f");
}

void TraceWriter::write(const Story& story, std::string_view id) {
  id_ = id;
  std::map<uint8_t, const Event*> fetches;  // by step: the fetches that have not ended yet
  const Event* queued = nullptr;            // the request waits since this event
  for (const Event& event : story) {
    const std::string where = where_text(event, recorder_.names());
    if (queued != nullptr) {  // the next event ends the wait
      write_span(kRequests, "queue", "queue", queued->at_ns, event);
      ++waiting_[queued->at_ns];
      --waiting_[event.at_ns];
      queued = nullptr;
    }
    switch (event.kind) {
      case EventKind::kFetchBegun:
        fetches[event.step] = &event;
        break;
      case EventKind::kFetchEnded:
        write_span(kUpstreams, "fetch", where, begin_of(event), event);
        fetches.erase(event.step);
        break;
      case EventKind::kQueued:
        queued = &event;
        break;
      case EventKind::kRunEnded:
      case EventKind::kLost:
        write_run(event);
        break;
      case EventKind::kAnswered:
      case EventKind::kCancelled:
        write_span(kRequests, "request", recorder_.names().name_of(event.method), begin_of(event),
                   event);
        break;
      default:
        break;
    }
  }
  if (queued != nullptr) ++waiting_[queued->at_ns];
  for (const auto& [step, begun] : fetches)
    write_fetch_under_way(*begun);
  write_flows(story);
}

void TraceWriter::write_fetch_under_way(const Event& begun) {
  Event end = begun;
  end.at_ns = now_ns_;
  write_span(kUpstreams, "fetch", where_text(begun, recorder_.names()), begun.at_ns, end);
}

void TraceWriter::write_worker(const Event& event) {
  workers_.insert(event.where);
  begin("i", kWorkers, event.where, telemetry::kEventNames[static_cast<size_t>(event.kind)],
        event.at_ns);
  json_.member("s", "t");  // a mark in this row
  json_.begin_object("args");
  json_.member("reason", recorder_.names().name_of(event.reason));
  json_.end_object();
  json_.end_object();
}

void TraceWriter::write_waiting() {
  int64_t count = 0;
  for (const auto& [at_ns, more] : waiting_) {
    count += more;
    begin("C", kRequests, 0, "waiting", at_ns);
    json_.begin_object("args");
    json_.member("requests", count);
    json_.end_object();
    json_.end_object();
  }
}

std::string TraceWriter::finish(const std::optional<Whole>& whole) {
  write_waiting();
  name_row("process_name", kWorkers, 0, "workers");
  name_row("process_name", kUpstreams, 0, "upstreams");
  name_row("process_name", kRequests, 0, "requests");
  name_row("thread_name", kRequests, 1, "begin and end");
  for (const uint16_t worker : workers_)
    name_row("thread_name", kWorkers, worker, "worker " + std::to_string(worker));
  json_.end_array();
  json_.begin_object("otherData");
  json_.member("requests", whole ? "recent" : "kept");
  if (whole) {
    json_.member("since_us", us(whole->since_ns));
    json_.member("now_us", us(now_ns_));
    json_.member("workers", whole->workers);
  }
  json_.end_object();
  json_.end_object();
  return json_.take();
}

}  // namespace

std::string recent_trace_json(const Recorder& recorder, uint64_t now_ns, size_t workers) {
  TraceWriter trace(recorder, now_ns);
  const telemetry::EventRing& ring = recorder.ring();
  const std::vector<Story> stories = telemetry::recent_stories(ring, 0, kRecentMax);
  for (const Story& story : stories)
    trace.write(story, recorder.id_of(story.back().request));
  for (uint64_t number = ring.first(); number < ring.next(); ++number) {
    const EventKind kind = ring.at(number).kind;
    if (kind == EventKind::kWorkerUp || kind == EventKind::kWorkerEnded)
      trace.write_worker(ring.at(number));
  }
  // In the order of their last events: each request with a later event is here.
  const uint64_t since_ns = stories.empty() ? now_ns : stories.front().back().at_ns;
  return trace.finish(Whole{since_ns, workers});
}

std::string kept_trace_json(const Recorder& recorder, uint64_t now_ns) {
  TraceWriter trace(recorder, now_ns);
  recorder.kept().for_each(
      [&](size_t, const Story& story, std::string_view id) { trace.write(story, id); });
  return trace.finish(std::nullopt);
}

}  // namespace ringmaster::master
