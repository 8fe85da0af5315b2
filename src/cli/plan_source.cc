#include "cli/plan_source.h"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <map>
#include <string_view>
#include <thread>
#include <utility>

#include "base/telemetry/quantile.h"
#include "rpc/errors.h"

namespace ringmaster::cli {
namespace {

// Adds what a method did between two samples.
void add_more(MethodSample& sum, const MethodSample& after, const MethodSample& before) {
  sum.admitted += more(after.admitted, before.admitted);
  sum.ok += more(after.ok, before.ok);
  for (const auto& [error, count] : after.errors) {
    const auto found = before.errors.find(error);
    sum.errors[error] += more(count, found == before.errors.end() ? 0 : found->second);
  }
  add(sum.total, more(after.total, before.total));
  add(sum.queue, more(after.queue, before.queue));
  add(sum.run, more(after.run, before.run));
  add(sum.fetch, more(after.fetch, before.fetch));
  sum.total_ms += after.total_ms - before.total_ms;
  sum.queue_ms += after.queue_ms - before.queue_ms;
  sum.run_ms += after.run_ms - before.run_ms;
}

// `code`: of rpc/errors.h. The names of a sample's errors begin with their codes.
uint64_t errors(const MethodSample& method, int code) {
  const std::string begin = fmt::format("{} ", code);
  uint64_t sum = 0;
  for (const auto& [error, count] : method.errors)
    if (error.starts_with(begin)) sum += count;
  return sum;
}

double busy_s(const Sample& sample) {
  double sum = 0;
  for (const WorkerSample& worker : sample.workers)
    sum += worker.busy_s;
  return sum;
}

// The load of a method with `rate` requests a second. `done`: the counts of the same time.
plan::MethodLoad load_of(const std::string& name, double rate, const MethodSample& done,
                         const std::vector<double>& bounds_ms) {
  std::vector<double> bounds_s = bounds_ms;
  for (double& bound : bounds_s)
    bound /= 1e3;
  const double results = 1e3 * static_cast<double>(done.ok);
  plan::MethodLoad load{name, rate, {}, {}};
  const double run_s = done.run_ms / results;
  load.run = plan::histogram_times(bounds_s, done.run, run_s);
  const double rest_s = (done.total_ms - done.queue_ms - done.run_ms) / results;
  if (rest_s <= 0) return load;
  const bool has_fetches =
      std::any_of(done.fetch.begin(), done.fetch.end(), [](uint64_t count) { return count > 0; });
  if (has_fetches) {
    load.fetch = plan::histogram_times(bounds_s, done.fetch, rest_s);
  } else if (run_s > plan::kPublishedAheadS && rest_s <= plan::kWayMaxS) {
    load.run = plan::longer(load.run, rest_s);
  }
  return load;
}

plan::Estimate estimate_of(double utilisation, const MethodSample& all,
                           const std::vector<double>& bounds_ms) {
  const auto at = [&](const Counts& counts, double part) {
    return telemetry::quantile(counts, bounds_ms, part).value_or(0) / 1e3;
  };
  const double results = static_cast<double>(all.ok);
  const double none =
      static_cast<double>(errors(all, rpc::kOverloaded) + errors(all, rpc::kDeadlineExceeded));
  return {utilisation, none / (results + none),
          plan::Estimate::Latency{all.queue_ms / 1e3 / results, at(all.queue, 0.5),
                                  at(all.queue, 0.99), at(all.total, 0.5), at(all.total, 0.99)}};
}

Status check_servers(const Watched& server, const Watched& first) {
  const Sample& after = server.after;
  if (after.pid != server.before.pid || after.at_s <= server.before.at_s) {
    return fail(ExitCode::kResource, "plan: --from: a server was restarted meanwhile");
  }
  if (after.workers.size() == first.after.workers.size() && !after.workers.empty() &&
      after.bounds_ms == first.after.bounds_ms) {
    return {};
  }
  return fail(ExitCode::kResource,
              fmt::format("plan: --from: expected servers of one version, each with as many "
                          "workers as the first one, which has {}; found {}",
                          first.after.workers.size(), after.workers.size()));
}

}  // namespace

Result<MeasuredLoad> measured_load(const std::vector<Watched>& servers) {
  struct Method {
    double rate = 0;
    MethodSample done;
  };
  const Watched& first = servers.front();
  std::map<std::string, Method> methods;
  double busy = 0;  // the number of busy workers, on average
  size_t at_once = 1;
  for (const Watched& server : servers) {
    if (Status fits = check_servers(server, first); !fits) return tl::unexpected(fits.error());
    const double seconds = server.after.at_s - server.before.at_s;
    busy += (busy_s(server.after) - busy_s(server.before)) / seconds;
    at_once = std::max(at_once, server.at_once);
    for (const auto& [name, after] : server.after.methods) {
      const auto found = server.before.methods.find(name);
      MethodSample done;
      add_more(done, after, found == server.before.methods.end() ? MethodSample() : found->second);
      methods[name].rate +=
          static_cast<double>(done.admitted + errors(done, rpc::kOverloaded)) / seconds;
      add_more(methods[name].done, done, {});
    }
  }
  MeasuredLoad found{{}, {servers.size(), first.after.workers.size()}, {}};
  found.load.at_once = at_once;
  MethodSample all;
  for (const auto& [name, method] : methods) {
    // A method of the server itself, such as rpc.discover, takes no worker's time.
    if (method.rate == 0 || method.done.ok == 0 || method.done.run_ms <= 0) continue;
    found.load.methods.push_back(load_of(name, method.rate, method.done, first.after.bounds_ms));
    add_more(all, method.done, {});
  }
  if (all.ok == 0) {
    return fail(ExitCode::kResource,
                "plan: --from: expected requests that were answered with a result meanwhile, found "
                "none: put a load on the server, or watch it longer with --seconds");
  }
  found.estimate = estimate_of(busy / static_cast<double>(found.fleet.all_workers()), all,
                               first.after.bounds_ms);
  return found;
}

Result<MeasuredLoad> watch(const std::vector<std::string>& addresses, double seconds) {
  std::vector<Watched> servers;
  for (const std::string& address : addresses) {
    Result<Sample> before = take_sample(address);
    if (!before) return tl::unexpected(before.error());
    servers.push_back({std::move(*before), {}, 1});
  }
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  for (size_t i = 0; i < addresses.size(); ++i) {
    Result<Sample> after = take_sample(addresses[i]);
    if (!after) return tl::unexpected(after.error());
    servers[i].after = std::move(*after);
  }
  return measured_load(servers);
}

}  // namespace ringmaster::cli
