#include "master/admin/status_json.h"

#include <algorithm>

#include "base/version.h"
#include "master/admin/json_writer.h"
#include "master/admin/problems.h"

namespace ringmaster::master {
namespace {

using telemetry::LatencyHistogram;
using telemetry::Recorder;
using telemetry::RequestMetrics;

void write(JsonWriter& json, std::string_view key, const LatencyHistogram& histogram) {
  json.begin_object(key);
  json.member("sum_ms", ms(histogram.sum_ns()));
  json.begin_array("counts");
  for (const uint64_t count : histogram.counts())
    json.element(count);
  json.end_array();
  json.end_object();
}

void write_method(JsonWriter& json, const std::string& name, const RequestMetrics::Method& method,
                  const telemetry::Names& names) {
  json.begin_object(name);
  json.member("admitted", method.admitted);
  json.member("offered_s", ms(method.offered_ns) / 1000);
  json.member("ok", method.ok);
  json.member("abandoned", method.abandoned);
  json.member("lost", method.lost);
  json.begin_array("errors");
  for (const auto& [key, count] : method.errors) {
    json.begin_object();
    json.member("code", key.first);
    json.member("reason", names.name_of(key.second));
    json.member("count", count);
    json.end_object();
  }
  json.end_array();
  json.begin_object("deadline_misses");
  for (size_t stage = 0; stage < telemetry::kStages; ++stage)
    json.member(telemetry::kStageNames[stage], method.deadline_misses[stage]);
  json.end_object();
  write(json, "total", method.total);
  write(json, "queue", method.queue);
  write(json, "run", method.run);
  json.begin_object("fetch");
  for (const auto& [upstream, fetches] : method.fetches) {
    json.begin_object(names.name_of(upstream));
    write(json, "took", fetches.took);
    json.begin_object("failed");
    for (const auto& [reason, count] : fetches.failed)
      json.member(names.name_of(reason), count);
    json.end_object();
    json.end_object();
  }
  json.end_object();
  json.end_object();
}

void write_problems(JsonWriter& json, const ServerState& state, const Recorder& recorder) {
  json.begin_array("problems");
  for (const Problem& problem : problems(state, recorder)) {
    json.begin_object();
    json.member("level", problem.is_bad ? "bad" : "warn");
    json.member("text", problem.text);
    json.end_object();
  }
  json.end_array();
}

void write_methods(JsonWriter& json, const Recorder& recorder) {
  json.begin_object("methods");
  const std::vector<RequestMetrics::Method>& methods = recorder.metrics().methods();
  for (uint32_t id = 0; id < methods.size(); ++id) {
    const RequestMetrics::Method& method = methods[id];
    if (method.admitted == 0 && method.ok == 0 && method.errors.empty()) continue;
    write_method(json, recorder.names().name_of(id), method, recorder.names());
  }
  json.end_object();
}

void write_workers(JsonWriter& json, const ServerState& state, const Recorder& recorder) {
  const std::vector<RequestMetrics::Worker>& counted = recorder.metrics().workers();
  json.begin_array("workers");
  for (const WorkerView& worker : state.workers) {
    const RequestMetrics::Worker its =
        worker.slot < counted.size() ? counted[worker.slot] : RequestMetrics::Worker{};
    json.begin_object();
    json.member("slot", worker.slot);
    json.member("pid", worker.pid);
    json.member("state", worker.state);
    json.member("method", worker.method);
    json.member("request", worker.request);
    json.member("busy_for_ms", ms(worker.busy_for_ns));
    json.member("age_s", ms(worker.age_ns) / 1000);
    json.member("private_bytes", worker.private_bytes);
    json.member("cpu_s", ms(worker.cpu_ns) / 1000);
    json.member("ends", its.ends);
    json.member("jobs", its.jobs);
    json.member("busy_s", ms(its.busy_ns) / 1000);
    json.member("last_progress_ms",
                ms(state.now_ns - std::min(its.last_progress_ns, state.now_ns)));
    json.end_object();
  }
  json.end_array();
  json.begin_object("worker_ends");
  for (const auto& [reason, count] : recorder.metrics().worker_ends())
    json.member(recorder.names().name_of(reason), count);
  json.end_object();
}

void write_others(JsonWriter& json, const ServerState& state, const Recorder& recorder) {
  json.begin_array("clients");
  for (const ClientView& client : state.clients) {
    const RequestMetrics::Client its = recorder.counts_of(client.name);
    json.begin_object();
    json.member("name", client.name);
    json.member("weight", client.weight);
    json.member("used", client.used);
    json.member("in_flight", client.in_flight);
    json.member("memory_bytes", client.memory_bytes);
    json.member("ok", its.ok);
    json.member("refused", its.refused);
    json.end_object();
  }
  json.end_array();
  json.begin_array("upstreams");
  for (const UpstreamView& upstream : state.upstreams) {
    json.begin_object();
    json.member("name", upstream.name);
    json.member("in_flight", upstream.in_flight);
    json.member("waiting", upstream.waiting);
    json.member("connections", upstream.connections);
    json.member("in_flight_limit", upstream.limit);
    json.member("retries", upstream.retries);
    json.member("hedges", upstream.hedges);
    json.member("breaker_open", upstream.is_breaker_open);
    json.member("breaker_opened", upstream.breaker_opened);
    json.member("addresses", upstream.addresses);
    json.member("ejected", upstream.ejected);
    if (upstream.sharing) {
      json.begin_object("cache");
      for (const auto& [result, count] : upstream.sharing->fetches)
        json.member(result, count);
      json.member("bytes", upstream.sharing->bytes);
      json.member("evictions", upstream.sharing->evictions);
      json.end_object();
    }
    json.end_object();
  }
  json.end_array();
  json.begin_array("deployments");
  for (const DeploymentView& deployment : state.deployments) {
    json.begin_object();
    json.member("generation", deployment.generation);
    json.member("state", deployment.state);
    json.member("in_flight", deployment.in_flight);
    json.end_object();
  }
  json.end_array();
  json.begin_object("connections");
  for (const auto& [framing, count] : state.connections)
    json.member(framing, count);
  json.end_object();
}

}  // namespace

std::string status_json(const ServerState& state, const Recorder& recorder) {
  JsonWriter json;
  json.begin_object();
  json.member("version", kVersion);
  json.member("now_ns", state.now_ns);
  json.member("unix_ms", state.unix_ms);
  json.member("uptime_s", ms(state.uptime_ns) / 1000);
  json.member("pid", state.pid);
  json.member("status", state.health.text);
  json.member("ready", state.health.is_ready);
  json.member("overloaded", state.is_overloaded);
  json.member("configuration", state.configuration);
  json.member("configuration_hash", state.configuration_hash);
  json.member("in_flight", state.in_flight);
  json.member("in_flight_limit", state.in_flight_limit);
  json.member("queued", state.queued);
  json.member("payload_bytes", state.payload_bytes);
  json.member("payload_limit_bytes", state.payload_limit_bytes);
  json.member("connections_limit", state.connections_limit);
  json.member("connection_bytes", state.connection_bytes);
  json.member("descriptors", state.descriptors);
  json.member("descriptors_limit", state.descriptors_limit);
  json.member("resident_bytes", state.resident_bytes);
  json.member("cpu_s", state.cpu_s);
  json.member("workers_wanted", state.workers_wanted);
  json.begin_array("bounds_ms");
  for (const uint64_t bound : LatencyHistogram::kBoundsNs)
    json.element(ms(bound));
  json.end_array();
  write_problems(json, state, recorder);
  write_methods(json, recorder);
  write_workers(json, state, recorder);
  write_others(json, state, recorder);
  json.end_object();
  return json.take();
}

}  // namespace ringmaster::master
