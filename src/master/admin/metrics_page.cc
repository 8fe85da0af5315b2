#include "master/admin/metrics_page.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <span>
#include <utility>
#include <vector>

#include "base/version.h"
#include "rpc/errors.h"

namespace ringmaster::master {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using telemetry::LatencyHistogram;
using telemetry::NameId;
using telemetry::RequestMetrics;
using Labels = std::vector<ClientMetric::Label>;

// The counts for these reasons are there, with 0, before the first event: if the event began the
// series, Prometheus' increase() would not see this event.
constexpr std::string_view kRefusals[] = {"fair_share", "overloaded", "payload_memory",
                                          "queue_full", "too_late"};
constexpr std::string_view kFetchFailures[] = {"connect", "timeout"};
constexpr std::string_view kWorkerEnds[] = {
    "SIGABRT",       "SIGBUS",   "SIGFPE",     "SIGILL", "SIGKILL",          "SIGSEGV", "SIGSYS",
    "abandoned",     "deadline", "exit 0",     "exit 1", "fork_server_died", "frozen",  "max_jobs",
    "max_rss_bytes", "oom",      "overstayed", "stuck",  "unwanted"};

// The code as a label.
std::string text_of(int32_t code) {
  return code == 0 ? "other" : std::to_string(code);
}

double seconds(uint64_t ns) {
  return static_cast<double>(ns) / 1e9;
}

// Collects families, and values for the newest one.
class Families {
 public:
  Families& family(const char* name, const char* help, MetricType type) {
    families_.push_back({std::string("ringmaster_") + name, help, type, {}});
    return *this;
  }
  Families& counter(const char* name, const char* help) {
    return family(name, help, MetricType::Counter);
  }
  Families& gauge(const char* name, const char* help) {
    return family(name, help, MetricType::Gauge);
  }
  Families& histogram(const char* name, const char* help) {
    return family(name, help, MetricType::Histogram);
  }

  template <class Value>
  void add(Value value, Labels labels = {}) {
    ClientMetric& metric = added(std::move(labels));
    const auto number = static_cast<double>(value);
    if (families_.back().type == MetricType::Counter) {
      metric.counter.value = number;
    } else {
      metric.gauge.value = number;
    }
  }
  void add(const LatencyHistogram& histogram, Labels labels) {
    ClientMetric& metric = added(std::move(labels));
    uint64_t sum = 0;
    for (size_t i = 0; i < histogram.counts().size(); ++i) {
      sum += histogram.counts()[i];
      const bool is_last = i == LatencyHistogram::kBoundsNs.size();
      const double bound = is_last ? INFINITY : seconds(LatencyHistogram::kBoundsNs[i]);
      metric.histogram.bucket.push_back({sum, bound});
    }
    metric.histogram.sample_count = sum;
    metric.histogram.sample_sum = seconds(histogram.sum_ns());
  }

  std::string text() const { return prometheus::TextSerializer().Serialize(families_); }

 private:
  ClientMetric& added(Labels labels) {
    ClientMetric& metric = families_.back().metric.emplace_back();
    metric.label = std::move(labels);
    return metric;
  }

  std::vector<MetricFamily> families_;
};

// Calls visit(name, metrics) for each method that has a name.
template <class Visit>
void for_each_method(const telemetry::Recorder& recorder, Visit visit) {
  const std::vector<RequestMetrics::Method>& methods = recorder.metrics().methods();
  for (size_t id = 0; id < methods.size(); ++id)
    visit(recorder.names().name_of(static_cast<uint32_t>(id)), methods[id]);
}

using Counts = std::map<std::string, uint64_t>;  // by reason

// The result also has each of `reasons`, with 0 if nothing was counted for it.
Counts counts_with(std::span<const std::string_view> reasons,
                   const std::map<NameId, uint64_t>& counted, const telemetry::Names& names) {
  Counts counts;
  for (const std::string_view reason : reasons)
    counts.emplace(reason, 0);
  for (const auto& [reason, count] : counted)
    counts[names.name_of(reason)] += count;
  return counts;
}

void add_requests_by_code(Families& families, const telemetry::Recorder& recorder) {
  families.counter("requests_total",
                   "Requests that were answered, by the code of their error; code 0: a result.");
  for_each_method(recorder, [&](const std::string& name, const RequestMetrics::Method& method) {
    if (method.is_expected || method.ok > 0)
      families.add(method.ok, {{"method", name}, {"code", "0"}});
    std::map<int32_t, uint64_t> by_code;
    for (const auto& [key, count] : method.errors)
      by_code[key.first] += count;
    for (const auto& [code, count] : by_code)
      families.add(count, {{"method", name}, {"code", text_of(code)}});
  });
  families.counter("request_errors_total", "Requests that were answered with an error.");
  for_each_method(recorder, [&](const std::string& name, const RequestMetrics::Method& method) {
    std::map<int32_t, std::map<NameId, uint64_t>> by_code;
    if (method.is_expected) by_code[rpc::kOverloaded];
    for (const auto& [key, count] : method.errors)
      by_code[key.first][key.second] = count;
    for (const auto& [code, counted] : by_code) {
      const bool has_zeros = method.is_expected && code == rpc::kOverloaded;
      const std::span reasons = has_zeros ? kRefusals : std::span<const std::string_view>();
      for (const auto& [reason, count] : counts_with(reasons, counted, recorder.names()))
        families.add(count, {{"method", name}, {"code", text_of(code)}, {"reason", reason}});
    }
  });
}

void add_requests(Families& families, const telemetry::Recorder& recorder) {
  add_requests_by_code(families, recorder);
  const auto add_each = [&](auto value_of) {
    for_each_method(recorder, [&](const std::string& name, const RequestMetrics::Method& method) {
      const auto value = value_of(method);
      if (method.is_expected || value > 0) families.add(value, {{"method", name}});
    });
  };
  families.counter("requests_abandoned_total", "Requests whose clients left before the answer.");
  add_each([](const RequestMetrics::Method& method) { return method.abandoned; });
  families.counter("attempts_lost_total", "Runs that ended with the death of their worker.");
  add_each([](const RequestMetrics::Method& method) { return method.lost; });
  families.counter("offered_worker_seconds_total",
                   "The workers' time that all requests would take, refused ones included.");
  add_each([](const RequestMetrics::Method& method) { return seconds(method.offered_ns); });
  families.counter("deadline_misses_total",
                   "Requests whose deadline was over, by the stage that they were in.");
  for_each_method(recorder, [&](const std::string& name, const RequestMetrics::Method& method) {
    for (size_t stage = 0; stage < telemetry::kStages; ++stage) {
      const uint64_t missed = method.deadline_misses[stage];
      if (!method.is_expected && missed == 0) continue;
      families.add(missed,
                   {{"method", name}, {"stage", std::string(telemetry::kStageNames[stage])}});
    }
  });
}

void add_times(Families& families, const telemetry::Recorder& recorder) {
  families.histogram("request_duration_seconds",
                     "Time from admission to the result, of requests that got a result.");
  for_each_method(recorder, [&](const std::string& name, const RequestMetrics::Method& method) {
    if (method.is_expected) families.add(method.total, {{"method", name}});
  });
  families.histogram("stage_duration_seconds",
                     "One stage of a request: queue: a run step waits for a worker; run: a worker "
                     "runs it.");
  for_each_method(recorder, [&](const std::string& name, const RequestMetrics::Method& method) {
    if (!method.is_expected) return;
    families.add(method.queue, {{"method", name}, {"stage", "queue"}});
    families.add(method.run, {{"method", name}, {"stage", "run"}});
  });
  families.histogram("admission_error_seconds",
                     "By how much requests with a result took less (early) or more (late) time "
                     "than admission predicted.");
  for_each_method(recorder, [&](const std::string& name, const RequestMetrics::Method& method) {
    if (!method.is_expected) return;
    families.add(method.early, {{"method", name}, {"side", "early"}});
    families.add(method.late, {{"method", name}, {"side", "late"}});
  });
  families.histogram("fetch_duration_seconds",
                     "One fetch from an upstream, failed ones and the wait for a connection "
                     "included.");
  for_each_method(recorder, [&](const std::string& name, const RequestMetrics::Method& method) {
    for (const auto& [upstream, fetches] : method.fetches) {
      families.add(fetches.took,
                   {{"method", name}, {"upstream", recorder.names().name_of(upstream)}});
    }
  });
  families.counter("fetch_failures_total", "Fetches that failed.");
  for_each_method(recorder, [&](const std::string& name, const RequestMetrics::Method& method) {
    for (const auto& [upstream, fetches] : method.fetches) {
      for (const auto& [reason, count] :
           counts_with(kFetchFailures, fetches.failed, recorder.names())) {
        families.add(count, {{"method", name},
                             {"upstream", recorder.names().name_of(upstream)},
                             {"reason", reason}});
      }
    }
  });
}

void add_workers(Families& families, const ServerState& state,
                 const telemetry::Recorder& recorder) {
  std::map<std::string_view, uint64_t> by_state = {
      {"backing_off", 0}, {"busy", 0},    {"idle", 0},   {"leaving", 0},
      {"starting", 0},    {"stopped", 0}, {"waiting", 0}};
  for (const WorkerView& worker : state.workers)
    ++by_state[worker.state];
  families.gauge("workers", "Worker slots, by the state of their workers.");
  for (const auto& [name, count] : by_state)
    families.add(count, {{"state", std::string(name)}});
  families.gauge("workers_wanted", "Workers that the server should have.");
  families.add(state.workers_wanted);
  families.counter("worker_ends_total", "Workers that ended, by reason.");
  for (const auto& [reason, count] :
       counts_with(kWorkerEnds, recorder.metrics().worker_ends(), recorder.names())) {
    families.add(count, {{"reason", reason}});
  }
  const std::vector<RequestMetrics::Worker>& workers = recorder.metrics().workers();
  const auto add_each = [&](auto value_of) {
    for (const WorkerView& worker : state.workers) {
      if (worker.slot >= workers.size()) continue;
      families.add(value_of(worker, workers[worker.slot]),
                   {{"worker", std::to_string(worker.slot)}});
    }
  };
  families.counter("worker_busy_seconds_total", "Time that handlers have run, by worker slot.");
  add_each(
      [](const WorkerView&, const RequestMetrics::Worker& its) { return seconds(its.busy_ns); });
  families.counter("worker_jobs_total", "Runs that ended, by worker slot.");
  add_each([](const WorkerView&, const RequestMetrics::Worker& its) { return its.jobs; });
  families.gauge("worker_last_progress_seconds",
                 "Time since the worker came up, or last ended a run.");
  add_each([&](const WorkerView&, const RequestMetrics::Worker& its) {
    return seconds(state.now_ns - std::min(its.last_progress_ns, state.now_ns));
  });
  families.gauge("worker_job_age_seconds",
                 "Time since the worker took the job that it runs; 0: it runs none.");
  add_each([](const WorkerView& worker, const RequestMetrics::Worker&) {
    return seconds(worker.busy_for_ns);
  });
  families.gauge("worker_private_bytes", "Memory that the worker has taken since its fork.");
  add_each(
      [](const WorkerView& worker, const RequestMetrics::Worker&) { return worker.private_bytes; });
}

void add_upstreams(Families& families, const ServerState& state) {
  const auto add_each = [&](uint64_t UpstreamView::*value) {
    for (const UpstreamView& upstream : state.upstreams)
      families.add(upstream.*value, {{"upstream", upstream.name}});
  };
  families.gauge("upstream_requests_in_flight", "Fetches under way, waiting ones included.");
  add_each(&UpstreamView::in_flight);
  families.gauge("upstream_requests_waiting", "Fetches that wait for a connection.");
  add_each(&UpstreamView::waiting);
  families.gauge("upstream_requests_in_flight_limit",
                 "The most fetches that have a connection at once, now.");
  add_each(&UpstreamView::limit);
  families.counter("upstream_retries_total", "Attempts that followed a failed one.");
  add_each(&UpstreamView::retries);
  families.counter("upstream_hedges_total",
                   "Fetches that were sent a second time while they had no answer.");
  add_each(&UpstreamView::hedges);
  families.gauge("upstream_breaker_open", "1: the breaker is open, and fetches fail at once.");
  for (const UpstreamView& upstream : state.upstreams)
    families.add(upstream.is_breaker_open, {{"upstream", upstream.name}});
  families.counter("upstream_breaker_opened_total", "How often the breaker has opened.");
  add_each(&UpstreamView::breaker_opened);
  families.gauge("upstream_addresses",
                 "The addresses of the configuration, or those that `resolve` has found.");
  add_each(&UpstreamView::addresses);
  families.gauge("upstream_addresses_ejected", "The ejected addresses: they get probes only.");
  add_each(&UpstreamView::ejected);
}

void add_sharing(Families& families, const ServerState& state) {
  const auto for_each = [&](auto add) {
    for (const UpstreamView& upstream : state.upstreams) {
      if (upstream.sharing) add(upstream.name, *upstream.sharing);
    }
  };
  families.counter("upstream_cache_fetches_total",
                   "Ended fetches that may share answers, by how they were answered.");
  for_each([&](const std::string& name, const UpstreamView::Sharing& sharing) {
    for (const auto& [result, count] : sharing.fetches)
      families.add(count, {{"upstream", name}, {"result", std::string(result)}});
  });
  families.gauge("upstream_cache_bytes", "Memory of the cached answers.");
  for_each([&](const std::string& name, const UpstreamView::Sharing& sharing) {
    families.add(sharing.bytes, {{"upstream", name}});
  });
  families.counter("upstream_cache_evictions_total", "Cached answers that gave room to others.");
  for_each([&](const std::string& name, const UpstreamView::Sharing& sharing) {
    families.add(sharing.evictions, {{"upstream", name}});
  });
}

void add_server(Families& families, const ServerState& state) {
  const auto gauge = [&](const char* name, const char* help, auto value) {
    families.gauge(name, help).add(value);
  };
  gauge("ready", "1: the server is ready, as /readyz says.", state.health.is_ready);
  gauge("overloaded",
        "1: the queue of all clients, of one, or of a method at its limit is kept short: requests "
        "are refused.",
        state.is_overloaded);
  gauge("requests_in_flight", "Requests that were admitted and have not ended.", state.in_flight);
  gauge("requests_in_flight_limit", "limits.requests_in_flight.", state.in_flight_limit);
  gauge("requests_queued", "Requests that wait for a worker.", state.queued);
  gauge("payload_memory_bytes", "Payload memory in use.", state.payload_bytes);
  gauge("payload_memory_limit_bytes", "limits.payload_memory_bytes.", state.payload_limit_bytes);
  families.gauge("connections", "Open connections, by framing.");
  for (const auto& [framing, count] : state.connections)
    families.add(count, {{"framing", std::string(framing)}});
  gauge("connections_limit", "limits.connections.", state.connections_limit);
  gauge("connection_memory_bytes", "Memory that connections hold.", state.connection_bytes);
  add_upstreams(families, state);
  add_sharing(families, state);
  families.counter("trace_spans_total", "Spans for the collector, by what became of them.");
  for (const auto& [result, count] : state.trace_spans)
    families.add(count, {{"result", std::string(result)}});
  gauge("master_descriptors", "Open descriptors of the master.", state.descriptors);
  gauge("master_descriptors_limit", "The limit of open descriptors.", state.descriptors_limit);
  gauge("master_resident_bytes", "Resident memory of the master.", state.resident_bytes);
  families.counter("master_cpu_seconds_total", "CPU time of the master.").add(state.cpu_s);
  gauge("uptime_seconds", "Time since the master's start.", seconds(state.uptime_ns));
  gauge("generations", "Deployments that start, serve, or finish.", state.deployments.size());
  families.gauge("info", "1; the version and the configuration are labels.")
      .add(1,
           {{"version", std::string(kVersion)}, {"configuration_hash", state.configuration_hash}});
}

}  // namespace

std::string metrics_text(const ServerState& state, const telemetry::Recorder& recorder) {
  Families families;
  add_requests(families, recorder);
  add_times(families, recorder);
  add_workers(families, state, recorder);
  add_server(families, state);
  return families.text();
}

}  // namespace ringmaster::master
