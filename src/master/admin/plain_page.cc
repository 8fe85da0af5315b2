#include "master/admin/plain_page.h"

#include <algorithm>
#include <fmt/format.h>
#include <vector>

#include "base/duration_text.h"
#include "base/telemetry/quantile.h"
#include "base/version.h"
#include "master/admin/problems.h"

namespace ringmaster::master {
namespace {

using telemetry::LatencyHistogram;
using telemetry::Recorder;
using telemetry::RequestMetrics;

// A table with columns as wide as their texts. The first is left-aligned, the others right-aligned.
class Columns {
 public:
  explicit Columns(std::vector<std::string> titles) { add(std::move(titles)); }

  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  std::string text() const {
    std::vector<size_t> widths(rows_.front().size());
    for (const auto& row : rows_) {
      for (size_t i = 0; i < row.size(); ++i)
        widths[i] = std::max(widths[i], row[i].size());
    }
    std::string text;
    for (const auto& row : rows_) {
      std::string line = fmt::format("{:<{}}", row[0], widths[0]);
      for (size_t i = 1; i < row.size(); ++i)
        line += fmt::format("  {:>{}}", row[i], widths[i]);
      text += line + '\n';
    }
    return text + '\n';
  }

 private:
  std::vector<std::vector<std::string>> rows_;
};

// Names come from outside: a terminal must not obey their bytes.
std::string printable(std::string_view name, std::string_view if_empty) {
  if (name.empty()) return std::string(if_empty);
  std::string text(name);
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return text;
}

std::string duration(uint64_t ns) {
  return duration_text(static_cast<double>(ns) / 1e9);
}

std::string quantile(const LatencyHistogram& histogram, double share) {
  const auto ns = telemetry::quantile(histogram.counts(), LatencyHistogram::kBoundsNs, share);
  if (!ns) return "-";
  const bool is_beyond = *ns >= static_cast<double>(LatencyHistogram::kBoundsNs.back());
  return (is_beyond ? ">" : "") + duration_text(*ns / 1e9);
}

std::string mib(uint64_t bytes) {
  return fmt::format("{:.1f}MiB", static_cast<double>(bytes) / (1 << 20));
}

std::string methods_text(const Recorder& recorder) {
  Columns table({"METHOD", "OK", "ERRORS", "ABANDONED", "P50", "P95", "P99", "QUEUE-P99", "RUN-P50",
                 "RUN-P99"});
  Columns errors({"ERRORS OF", "CODE", "REASON", "COUNT"});
  const std::vector<RequestMetrics::Method>& methods = recorder.metrics().methods();
  for (uint32_t id = 0; id < methods.size(); ++id) {
    const RequestMetrics::Method& its = methods[id];
    if (its.admitted == 0 && its.ok == 0 && its.errors.empty()) continue;
    const std::string name = printable(recorder.names().name_of(id), "(no such method)");
    uint64_t failed = 0;
    for (const auto& [key, count] : its.errors) {
      failed += count;
      errors.add({name, std::to_string(key.first),
                  printable(recorder.names().name_of(key.second), "-"), std::to_string(count)});
    }
    table.add({name, std::to_string(its.ok), std::to_string(failed), std::to_string(its.abandoned),
               quantile(its.total, .5), quantile(its.total, .95), quantile(its.total, .99),
               quantile(its.queue, .99), quantile(its.run, .5), quantile(its.run, .99)});
  }
  return table.text() + errors.text();
}

std::string workers_text(const ServerState& state, const Recorder& recorder) {
  Columns table({"WORKER", "PID", "STATE", "RUNS", "FOR", "PROGRESS", "JOBS", "MEMORY", "CPU",
                 "AGE", "RESTARTS"});
  const std::vector<RequestMetrics::Worker>& counted = recorder.metrics().workers();
  for (const WorkerView& worker : state.workers) {
    const RequestMetrics::Worker its =
        worker.slot < counted.size() ? counted[worker.slot] : RequestMetrics::Worker{};
    table.add({std::to_string(worker.slot), std::to_string(worker.pid), std::string(worker.state),
               printable(worker.method, "-"),
               worker.method.empty() ? "-" : duration(worker.busy_for_ns),
               duration(state.now_ns - std::min(its.last_progress_ns, state.now_ns)),
               std::to_string(its.jobs), mib(worker.private_bytes), duration(worker.cpu_ns),
               duration(worker.age_ns), std::to_string(its.ends)});
  }
  Columns ends({"WORKERS ENDED", "COUNT"});
  for (const auto& [reason, count] : recorder.metrics().worker_ends())
    ends.add({printable(recorder.names().name_of(reason), "-"), std::to_string(count)});
  return table.text() + ends.text();
}

// The caches of the upstreams whose fetches share responses.
std::string sharing_text(const ServerState& state) {
  Columns table({"CACHE OF", "FETCHES", "MEMORY", "EVICTED"});
  for (const UpstreamView& one : state.upstreams) {
    if (!one.sharing) continue;
    std::string fetches;
    for (const auto& [result, count] : one.sharing->fetches)
      fetches += fmt::format("{}{} {}", fetches.empty() ? "" : ", ", count, result);
    table.add({printable(one.name, "-"), fetches, mib(one.sharing->bytes),
               std::to_string(one.sharing->evictions)});
  }
  return table.text();
}

// The fetches of all methods, and the present state of the upstreams.
std::string upstreams_text(const ServerState& state, const Recorder& recorder) {
  Columns table({"UPSTREAM OF", "UPSTREAM", "FETCHES", "FAILED", "P50", "P99"});
  for (uint32_t id = 0; id < recorder.metrics().methods().size(); ++id) {
    for (const auto& [upstream, its] : recorder.metrics().methods()[id].fetches) {
      uint64_t failed = 0;
      for (const auto& [reason, count] : its.failed)
        failed += count;
      table.add({printable(recorder.names().name_of(id), "-"),
                 printable(recorder.names().name_of(upstream), "-"),
                 std::to_string(its.took.count()), std::to_string(failed), quantile(its.took, .5),
                 quantile(its.took, .99)});
    }
  }
  Columns now({"UPSTREAM NOW", "IN-FLIGHT", "WAITING", "CONNECTIONS", "BREAKER", "EJECTED"});
  for (const UpstreamView& one : state.upstreams) {
    now.add({printable(one.name, "-"), std::to_string(one.in_flight), std::to_string(one.waiting),
             std::to_string(one.connections), one.is_breaker_open ? "open" : "-",
             fmt::format("{} of {}", one.ejected, one.addresses)});
  }
  return table.text() + now.text() + sharing_text(state);
}

std::string clients_text(const ServerState& state, const Recorder& recorder) {
  Columns table({"CLIENT", "TIME", "WEIGHT", "OK", "REFUSED", "IN-FLIGHT", "MEMORY"});
  for (const ClientView& one : state.clients) {
    const RequestMetrics::Client its = recorder.counts_of(one.name);
    table.add({printable(one.name, "-"), fmt::format("{:.0f}%", one.used * 100),
               fmt::format("{:g}", one.weight), std::to_string(its.ok), std::to_string(its.refused),
               std::to_string(one.in_flight), mib(one.memory_bytes)});
  }
  Columns generations({"GENERATION", "STATE", "IN-FLIGHT"});
  for (const DeploymentView& one : state.deployments) {
    generations.add(
        {std::to_string(one.generation), std::string(one.state), std::to_string(one.in_flight)});
  }
  return table.text() + generations.text();
}

std::string server_text(const ServerState& state) {
  return fmt::format(
      "ringmaster {} pid {} up {}: {}{}\n"
      "configuration {} ({})\n"
      "requests {} in flight of {}, {} wait for a worker; payload memory {} of {}\n"
      "master {}, {} of {} descriptors\n\n",
      kVersion, state.pid, duration(state.uptime_ns), printable(state.health.text, "-"),
      state.is_overloaded ? "; overloaded" : "", printable(state.configuration, "-"),
      state.configuration_hash, state.in_flight, state.in_flight_limit, state.queued,
      mib(state.payload_bytes), mib(state.payload_limit_bytes), mib(state.resident_bytes),
      state.descriptors, state.descriptors_limit);
}

std::string problems_text(const ServerState& state, const Recorder& recorder) {
  std::string text = "WHAT IS WRONG\n";
  const std::vector<Problem> found = problems(state, recorder);
  for (const Problem& problem : found)
    text += (problem.is_bad ? "bad: " : "look: ") + printable(problem.text, "-") + '\n';
  if (found.empty()) text += "nothing stands out\n";
  return text +
         "Parts of requests and fetches are those of the last 10 to 20 s. What only many looks "
         "show, such as\na method that has become slow or a worker that grows, is not in this "
         "list: a browser shows it.\n\n";
}

}  // namespace

std::string plain_page(const ServerState& state, const Recorder& recorder) {
  return server_text(state) + problems_text(state, recorder) + methods_text(recorder) +
         workers_text(state, recorder) + upstreams_text(state, recorder) +
         clients_text(state, recorder) +
         "Counts and percentiles are since the start. A browser shows rates and single requests.\n";
}

}  // namespace ringmaster::master
