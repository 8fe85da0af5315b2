#include "master/admin/recent_problems.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/duration_text.h"
#include "rpc/errors.h"

namespace ringmaster::master {
namespace {

using telemetry::NameId;
using telemetry::Recorder;
using telemetry::RequestMetrics;
using Problems = std::vector<Problem>;

constexpr uint64_t kRecentNs = 10'000'000'000;
constexpr uint64_t kEndsNs = 60'000'000'000;

// Fewer failures than this may be chance, and a smaller part is not worth a line.
constexpr uint64_t kCountMin = 3;
constexpr double kPartMin = 0.01;
// A client is named if it got so large a part of the refusals.
constexpr double kGreedyPart = 0.6;
// Workers that are busy for a smaller part of their time cannot be overloaded.
constexpr double kIdlePart = 0.5;

// How much counts have grown.
struct Growth {
  const RequestMetrics& now;
  const RequestMetrics& before;
  double seconds;
};

Growth growth(const ServerState& state, const Recorder& recorder, uint64_t age_ns) {
  const auto former = recorder.metrics_at(state.now_ns - std::min(age_ns, state.now_ns));
  const uint64_t ns = std::min(state.now_ns - former.at_ns, state.uptime_ns);
  return {recorder.metrics(), former.counts, std::max(static_cast<double>(ns) / 1e9, 1e-3)};
}

// The element that the vector had; zeros: it had none.
template <class T>
const T& element(const std::vector<T>& before, size_t id) {
  static const T kNone;
  return id < before.size() ? before[id] : kNone;
}

template <class Key>
using CountsBy = std::map<Key, uint64_t>;

// Only counts that have grown.
template <class Key>
CountsBy<Key> grown(const CountsBy<Key>& now, const CountsBy<Key>& before) {
  CountsBy<Key> difference;
  for (const auto& [key, count] : now) {
    const auto former = before.find(key);
    const uint64_t by = count - (former == before.end() ? 0 : former->second);
    if (by > 0) difference[key] = by;
  }
  return difference;
}

template <class Key>
uint64_t sum(const CountsBy<Key>& counts) {
  uint64_t all = 0;
  for (const auto& [key, count] : counts)
    all += count;
  return all;
}

// REQUIRES: there are counts.
template <class Key>
const std::pair<const Key, uint64_t>& most(const CountsBy<Key>& counts) {
  return *std::ranges::max_element(counts, {}, [](const auto& one) { return one.second; });
}

bool is_worth(uint64_t part, uint64_t whole) {
  return part >= kCountMin && static_cast<double>(part) >= kPartMin * static_cast<double>(whole);
}

std::string percent(double part) {
  return part > 0 && part < 0.01 ? fmt::format("{:.1f} %", 100 * part)
                                 : fmt::format("{:.0f} %", 100 * part);
}

std::string percent(uint64_t part, uint64_t whole) {
  return percent(static_cast<double>(part) / static_cast<double>(whole));
}

// The part of the workers' time in which they ran handlers.
double busy_part(const ServerState& state, const Growth& recent) {
  double busy_s = 0;
  for (size_t slot = 0; slot < recent.now.workers().size(); ++slot) {
    const uint64_t before_ns = element(recent.before.workers(), slot).busy_ns;
    busy_s += static_cast<double>(recent.now.workers()[slot].busy_ns - before_ns) / 1e9;
  }
  for (const WorkerView& worker : state.workers) {  // a run counts only when it ends
    if (static_cast<double>(worker.busy_for_ns) / 1e9 > recent.seconds) busy_s += recent.seconds;
  }
  const auto wanted = static_cast<double>(std::max<uint64_t>(state.workers_wanted, 1));
  return std::min(1.0, busy_s / (recent.seconds * wanted));
}

// "one client, NAME, ...", if one got most of the refusals.
std::optional<std::string> greedy_client(const ServerState& state, const Recorder& recorder,
                                         const Growth& recent) {
  std::map<std::string_view, uint64_t> refused;
  for (const ClientView& client : state.clients) {
    const uint32_t id = recorder.clients().find(client.name);
    refused[client.name] =
        element(recent.now.clients(), id).refused - element(recent.before.clients(), id).refused;
  }
  const uint64_t all = sum(refused);
  if (all == 0) return std::nullopt;
  const auto& [name, its] = most(refused);
  if (static_cast<double>(its) < kGreedyPart * static_cast<double>(all)) return std::nullopt;
  return fmt::format(
      "one client, {}, asks for more than its share, and gets {} of all "
      "refusals",
      name, percent(its, all));
}

// What a method's requests got.
struct Ended {
  std::string name;
  uint64_t offered = 0;                                  // all that ended
  CountsBy<std::pair<int32_t, NameId>> refused, failed;  // by code and reason
  CountsBy<size_t> misses;                               // by stage
};

// Without the errors that other problems report: missed deadlines and failures of upstreams; and
// without the clients' own cancellations.
Ended ended(const std::string& name, const RequestMetrics::Method& now,
            const RequestMetrics::Method& before) {
  Ended its{name.empty() ? "(no such method)" : name, now.ok - before.ok, {}, {}, {}};
  for (const auto& [what, count] : grown(now.errors, before.errors)) {
    its.offered += count;
    switch (what.first) {
      case rpc::kOverloaded:
      case rpc::kShuttingDown:
        its.refused[what] = count;
        break;
      case rpc::kDeadlineExceeded:
      case rpc::kUpstreamFailed:
      case rpc::kCancelled:
        break;
      default:
        its.failed[what] = count;
    }
  }
  for (size_t stage = 0; stage < telemetry::kStages; ++stage) {
    const uint64_t missed = now.deadline_misses[stage] - before.deadline_misses[stage];
    if (missed > 0) its.misses[stage] = missed;
  }
  return its;
}

void add_refusals(Problems& found, const Ended& its, const ServerState& state,
                  const Recorder& recorder, const Growth& recent) {
  const uint64_t refused = sum(its.refused);
  if (!is_worth(refused, its.offered)) return;
  const std::string& reason = recorder.names().name_of(most(its.refused).first.second);
  const double busy = busy_part(state, recent);
  const std::string load =
      fmt::format("the workers are busy {}, {} requests wait", percent(busy), state.queued);
  std::string why = "overload; " + load;
  if (reason == "too_late" && busy < kIdlePart) {
    why = "the clients allow less time than such requests take; " + load;
  } else if (reason == "fair_share") {
    why = greedy_client(state, recorder, recent)
              .value_or("several clients ask for more than their shares; " + load);
  }
  found.push_back({true, fmt::format("{}: {} refused ({}): {}", its.name,
                                     percent(refused, its.offered), reason, why)});
}

void add_failures(Problems& found, const Ended& its, const Recorder& recorder) {
  if (const uint64_t missed = sum(its.misses); is_worth(missed, its.offered)) {
    static constexpr std::array<const char*, telemetry::kStages> kWhere = {
        "while they fetched", "while they waited for a worker", "while the handler ran"};
    found.push_back(
        {true, fmt::format("{}: {} miss their deadline, most {}", its.name,
                           percent(missed, its.offered), kWhere[most(its.misses).first])});
  }
  const uint64_t failed = sum(its.failed);
  if (!is_worth(failed, its.offered)) return;
  const auto [code, reason] = most(its.failed).first;
  const bool is_clients = code <= rpc::kInvalidRequest || code == rpc::kUnauthorized;
  found.push_back(
      {!is_clients, fmt::format("{}: {} fail: {} {}", its.name, percent(failed, its.offered), code,
                                recorder.names().name_of(reason))});
}

void add_fetch_failures(Problems& found, const Recorder& recorder, const Growth& recent) {
  struct Fetches {
    uint64_t all = 0;
    CountsBy<NameId> failed;
  };
  std::map<NameId, Fetches> upstreams;
  for (size_t id = 0; id < recent.now.methods().size(); ++id) {
    const auto& before = element(recent.before.methods(), id).fetches;
    for (const auto& [upstream, now] : recent.now.methods()[id].fetches) {
      const auto found_before = before.find(upstream);
      const RequestMetrics::Fetches former =
          found_before == before.end() ? RequestMetrics::Fetches() : found_before->second;
      Fetches& its = upstreams[upstream];
      its.all += now.took.count() - former.took.count();
      for (const auto& [reason, count] : grown(now.failed, former.failed))
        its.failed[reason] += count;
    }
  }
  for (const auto& [upstream, its] : upstreams) {
    const uint64_t failed = sum(its.failed);
    if (!is_worth(failed, its.all)) continue;
    found.push_back({true, fmt::format("upstream {}: {} of fetches fail ({})",
                                       recorder.names().name_of(upstream), percent(failed, its.all),
                                       recorder.names().name_of(most(its.failed).first))});
  }
}

std::string end_text(const std::string& reason) {
  if (reason == "deadline") return "deadline (a job ran past it, so the worker was killed)";
  if (reason == "frozen") return "frozen (so the server killed them)";
  if (reason == "max_rss_bytes") return "max_rss_bytes (they had grown to this limit)";
  if (reason == "oom") return "oom (the kernel killed them, there was no memory)";
  return reason;
}

void add_ends(Problems& found, const Recorder& recorder, const Growth& last) {
  for (const auto& [id, times] : grown(last.now.worker_ends(), last.before.worker_ends())) {
    const std::string& reason = recorder.names().name_of(id);
    if (reason == "unwanted" || reason == "max_jobs") continue;  // the server's own plan
    found.push_back(
        {times >= kCountMin, fmt::format("workers end: {} {} within {}", end_text(reason),
                                         times == 1 ? "once" : fmt::format("{} times", times),
                                         duration_text(last.seconds))});
  }
}

}  // namespace

std::vector<Problem> recent_problems(const ServerState& state, const Recorder& recorder) {
  Problems found;
  add_ends(found, recorder, growth(state, recorder, kEndsNs));
  const Growth recent = growth(state, recorder, kRecentNs);
  add_fetch_failures(found, recorder, recent);
  std::vector<Ended> methods;
  for (uint32_t id = 0; id < recent.now.methods().size(); ++id) {
    methods.push_back(ended(recorder.names().name_of(id), recent.now.methods()[id],
                            element(recent.before.methods(), id)));
  }
  for (const Ended& its : methods)
    add_refusals(found, its, state, recorder, recent);
  for (const Ended& its : methods)
    add_failures(found, its, recorder);
  return found;
}

}  // namespace ringmaster::master
