#include "master/admin/problems.h"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <numeric>

#include "base/duration_text.h"
#include "master/admin/recent_problems.h"

namespace ringmaster::master {
namespace {

// A client is named if all clients together have so much of the workers' time, and this client has
// so large a part of that, and more than its weight explains.
constexpr double kBusy = 0.8;
constexpr double kMostPart = 0.6;
constexpr double kBeyondWeight = 1.3;

constexpr double kNearLimit = 0.9;

using Problems = std::vector<Problem>;

void add_workers(Problems& found, const ServerState& state) {
  size_t down = 0;
  for (const WorkerView& worker : state.workers) {
    if (worker.state == "backing_off") ++down;
    if (worker.state != "stopped") continue;
    found.push_back(
        {true, fmt::format("worker {} is stopped, by a signal or a debugger, and has "
                           "had {} for {}",
                           worker.slot, worker.method,
                           duration_text(static_cast<double>(worker.busy_for_ns) / 1e9))});
  }
  if (down == 0) return;
  found.push_back({true, fmt::format("{} of {} workers are down: they crashed again and again, and "
                                     "the server waits before it forks the next ones",
                                     down, state.workers_wanted)});
}

void add_upstreams(Problems& found, const ServerState& state) {
  for (const UpstreamView& one : state.upstreams) {
    if (one.is_breaker_open) {
      found.push_back(
          {true, fmt::format("upstream {}: its breaker is open, so fetches fail without "
                             "being sent",
                             one.name)});
    }
    if (one.ejected > 0) {
      found.push_back({false, fmt::format("upstream {}: {} of {} addresses get probes only",
                                          one.name, one.ejected, one.addresses)});
    }
    if (one.waiting > 0 && one.waiting >= one.connections / 4) {
      found.push_back({false, fmt::format("upstream {}: {} fetches wait for one of its {} "
                                          "connections",
                                          one.name, one.waiting, one.connections)});
    }
  }
}

void add_clients(Problems& found, const ServerState& state) {
  const std::vector<ClientView>& clients = state.clients;
  if (clients.size() < 2) return;
  const auto sum = [&](double ClientView::*value) {
    return std::accumulate(clients.begin(), clients.end(), 0.0,
                           [&](double all, const ClientView& one) { return all + one.*value; });
  };
  const double used = sum(&ClientView::used);
  const ClientView& most = *std::max_element(
      clients.begin(), clients.end(),
      [](const ClientView& one, const ClientView& other) { return one.used < other.used; });
  const double part = most.used / used;
  const double due = most.weight / sum(&ClientView::weight);
  if (used < kBusy || part < std::max(kMostPart, kBeyondWeight * due)) return;
  found.push_back(
      {false, fmt::format("client {} uses {:.0f} % of the workers' time, all other "
                          "clients {:.0f} %",
                          most.name, 100 * std::min(1.0, most.used), 100 * (used - most.used))});
}

void add_limits(Problems& found, const ServerState& state) {
  const auto add = [&](const char* name, uint64_t used, uint64_t limit, double unit,
                       const char* unit_name) {
    if (limit == 0 || static_cast<double>(used) < kNearLimit * static_cast<double>(limit)) return;
    found.push_back({false, fmt::format("{}: {:.0f} of {:.0f}{} are used", name,
                                        static_cast<double>(used) / unit,
                                        static_cast<double>(limit) / unit, unit_name)});
  };
  uint64_t connections = 0;
  for (const auto& [framing, count] : state.connections)
    connections += count;
  add("requests in flight", state.in_flight, state.in_flight_limit, 1, "");
  add("payload memory", state.payload_bytes, state.payload_limit_bytes, 1 << 20, " MiB");
  add("connections", connections, state.connections_limit, 1, "");
  add("descriptors", state.descriptors, state.descriptors_limit, 1, "");
}

}  // namespace

std::vector<Problem> problems(const ServerState& state, const telemetry::Recorder& recorder) {
  Problems found;
  if (!state.health.is_ready) found.push_back({true, "not ready: " + state.health.text});
  add_workers(found, state);
  add_upstreams(found, state);
  std::ranges::move(recent_problems(state, recorder), std::back_inserter(found));
  add_clients(found, state);
  add_limits(found, state);
  std::stable_partition(found.begin(), found.end(), [](const Problem& one) { return one.is_bad; });
  return found;
}

}  // namespace ringmaster::master
