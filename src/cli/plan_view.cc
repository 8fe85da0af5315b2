#include "cli/plan_view.h"

#include <algorithm>
#include <fmt/format.h>
#include <functional>
#include <vector>

#include "base/json/scan.h"
#include "cli/status_port.h"
#include "config/options.h"

namespace ringmaster::cli {
namespace {

using Column = PlanCase::Column;
using Latency = plan::Estimate::Latency;

constexpr const char* kSource =
    "formula: Allen-Cunneen's for the wait, with Erlang C (A. O. Allen, \"Probability, Statistics, "
    "and\nQueueing Theory\"), for each node alone, with an exponential tail.";

struct LatencyRow {
  const char* label;
  const char* member;  // in JSON
  double Latency::*value;
};
constexpr LatencyRow kLatencies[] = {
    {"mean wait for a worker, ms", "wait_mean_ms", &Latency::wait_mean_s},
    {"p50 of the wait, ms", "wait_p50_ms", &Latency::wait_p50_s},
    {"p99 of the wait, ms", "wait_p99_ms", &Latency::wait_p99_s},
    {"p50 of the whole, ms", "p50_ms", &Latency::p50_s},
    {"p99 of the whole, ms", "p99_ms", &Latency::p99_s}};

std::string percent(double part) {
  return fmt::format("{:.1f} %", 100 * part);
}

// Without an exponent.
std::string plain(double value) {
  return value < 1000 ? fmt::format("{:.4g}", value) : fmt::format("{:.0f}", value);
}

std::string describe(const plan::MethodLoad& method) {
  std::string text = fmt::format("{} requests a second: {} ms on a worker", plain(method.rate),
                                 plain(1e3 * method.run.mean_s));
  if (method.run.cv > 0) text += fmt::format(" (standard deviation {:.0f} %)", 100 * method.run.cv);
  if (method.fetch.mean_s > 0) {
    text += fmt::format(", {} ms of fetches before", plain(1e3 * method.fetch.mean_s));
  }
  return text;
}

std::string head(const Plan& plan) {
  std::string text;
  for (const plan::MethodLoad& method : plan.load.methods) {
    const std::string name = plan.load.methods.size() == 1 && method.name == "request"
                                 ? ""
                                 : without_controls(method.name) + ": ";
    text += name + describe(method) + "\n";
  }
  text += fmt::format("They keep {} workers busy.\n", plain(plan.load.busy()));
  if (plan.load.at_once > 1)
    text += fmt::format("They arrive in groups of {}.\n", plan.load.at_once);
  if (plan.is_traced) text += "A trace has no refused requests: these are not counted.\n";
  if (!plan.promise) return text;
  text += fmt::format(
      "For a p99 of {:g} ms, and workers that are at most {:.0f} % busy, {} node{} "
      "with {} workers each {} needed.\n",
      1e3 * plan.promise->p99_s, 100 * plan::Promise::kUtilisationMax, plan.nodes_needed,
      plan.nodes_needed == 1 ? "" : "s", plan.cases.back().fleet.workers,
      plan.nodes_needed == 1 ? "is" : "are");
  if (plan.workers_needed > master::kWorkersMax) return text;
  return text + fmt::format("In one node {} workers would be enough.\n", plan.workers_needed);
}

class PlanTable {
 public:
  explicit PlanTable(const Plan& plan) : plan_(plan) {}

  void add(const std::string& label,
           const std::function<std::string(const PlanCase&, const Column&)>& cell) {
    std::vector<std::string>& row = rows_.emplace_back();
    row.push_back(label);
    for (const PlanCase& each : plan_.cases)
      for (const Column& column : each.columns)
        row.push_back(cell(each, column));
  }
  // Adds a row with one cell for each case, not for each of its columns.
  void add_once(const std::string& label, const std::function<std::string(const PlanCase&)>& cell) {
    add(label, [&](const PlanCase& each, const Column& column) {
      return &column == &each.columns.front() ? cell(each) : "";
    });
  }

  std::string text() const {
    std::string text;
    for (const std::vector<std::string>& row : rows_) {
      std::string line = fmt::format("{:<{}}", row[0], width(0));
      for (size_t i = 1; i < row.size(); ++i)
        line += fmt::format("  {:>{}}", row[i], width(i));
      line.erase(line.find_last_not_of(' ') + 1);
      text += line + "\n";
    }
    return text;
  }

 private:
  size_t width(size_t column) const {
    size_t width = 0;
    for (const std::vector<std::string>& row : rows_)
      width = std::max(width, row[column].size());
    return width;
  }

  const Plan& plan_;
  std::vector<std::vector<std::string>> rows_;
};

void add_needs(PlanTable& table) {
  table.add_once("each node: requests in flight",
                 [](const PlanCase& each) { return fmt::format("{:.0f}", each.needs.in_flight); });
  table.add_once("each node: connections to upstreams", [](const PlanCase& each) {
    return fmt::format("{:.0f}", each.needs.upstream_connections);
  });
  table.add_once("each node: payload memory, MiB", [](const PlanCase& each) {
    return fmt::format("{:.1f}", each.needs.payload_bytes / (1 << 20));
  });
}

std::string column_json(const Column& column) {
  const plan::Estimate& estimate = column.estimate;
  std::string text =
      fmt::format(R"({}:{{"utilisation":{:.6g},"refused":{:.6g})", json::quote(column.source),
                  estimate.utilisation, estimate.refused);
  for (const LatencyRow& row : kLatencies) {
    text += estimate.latency
                ? fmt::format(R"(,"{}":{:.6g})", row.member, 1e3 * (*estimate.latency).*row.value)
                : fmt::format(R"(,"{}":null)", row.member);
  }
  return text + "}";
}

std::string case_json(const PlanCase& each) {
  std::vector<std::string> columns;
  for (const Column& column : each.columns)
    columns.push_back(column_json(column));
  return fmt::format(
      R"({{"title":{},"nodes":{},"workers_per_node":{},"requests_per_s":{:.6g},{},"each_node":)"
      R"({{"in_flight":{:.0f},"upstream_connections":{:.0f},"payload_bytes":{:.0f}}}}})",
      json::quote(each.title), each.fleet.nodes, each.fleet.workers, each.load.rate(),
      fmt::join(columns, ","), each.needs.in_flight, each.needs.upstream_connections,
      each.needs.payload_bytes);
}

}  // namespace

std::string to_text(const Plan& plan) {
  PlanTable table(plan);
  table.add_once("", [](const PlanCase& each) { return each.title; });
  table.add("", [](const PlanCase&, const Column& column) { return column.source; });
  table.add_once("requests a second", [](const PlanCase& each) { return plain(each.load.rate()); });
  table.add_once("nodes", [](const PlanCase& each) { return std::to_string(each.fleet.nodes); });
  table.add_once("workers, one a core",
                 [](const PlanCase& each) { return std::to_string(each.fleet.all_workers()); });
  table.add("workers busy", [](const PlanCase&, const Column& column) {
    return percent(column.estimate.utilisation);
  });
  for (const LatencyRow& row : kLatencies) {
    table.add(row.label, [&row](const PlanCase&, const Column& column) {
      const auto& latency = column.estimate.latency;
      return latency ? fmt::format("{:.1f}", 1e3 * (*latency).*row.value) : "?";
    });
  }
  table.add("requests without a result",
            [](const PlanCase&, const Column& column) { return percent(column.estimate.refused); });
  if (plan.promise) {
    table.add("promise kept", [&plan](const PlanCase&, const Column& column) {
      return plan.promise->is_kept(column.estimate) ? "yes" : "no";
    });
  }
  add_needs(table);
  std::string text = head(plan) + "\n" + table.text() + "\n" + kSource + "\n";
  const auto is_unknown = [](const PlanCase& each) {
    return std::any_of(each.columns.begin(), each.columns.end(),
                       [](const Column& column) { return !column.estimate.latency; });
  };
  if (std::any_of(plan.cases.begin(), plan.cases.end(), is_unknown)) {
    text +=
        "?: the load is more than the workers can do, and the formula gives no wait: use "
        "--simulate.\n";
  }
  return text;
}

std::string to_json(const Plan& plan) {
  std::vector<std::string> cases;
  for (const PlanCase& each : plan.cases)
    cases.push_back(case_json(each));
  std::string promise = "null";
  if (plan.promise) {
    promise = fmt::format(
        R"({{"p99_ms":{:g},"utilisation_max":{:g},"workers_needed":{},"nodes_needed":{}}})",
        1e3 * plan.promise->p99_s, plan::Promise::kUtilisationMax, plan.workers_needed,
        plan.nodes_needed);
  }
  return fmt::format(R"({{"busy_workers":{:.6g},"at_once":{},"promise":{},"cases":[{}]}})",
                     plan.load.busy(), plan.load.at_once, promise, fmt::join(cases, ","));
}

}  // namespace ringmaster::cli
