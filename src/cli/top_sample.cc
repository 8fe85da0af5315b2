#include "cli/top_sample.h"

#include <algorithm>
#include <rapidjson/document.h>
#include <utility>

#include "cli/json_members.h"
#include "cli/status_port.h"

namespace ringmaster::cli {
namespace {

using rapidjson::Value;

Counts counts(const Value& histogram) {
  Counts found;
  for_each_element(member(histogram, "counts"), [&](const Value& one) {
    found.push_back(one.IsUint64() ? one.GetUint64() : 0);
  });
  return found;
}

void parse_methods(const Value& methods, Sample& sample) {
  for_each_member(methods, [&](const std::string& name, const Value& one) {
    MethodSample& method = sample.methods[name];
    method.admitted = count(one, "admitted");
    method.ok = count(one, "ok");
    method.abandoned = count(one, "abandoned");
    for_each_element(member(one, "errors"), [&](const Value& error) {
      const auto code = static_cast<int64_t>(number(error, "code"));
      method.errors[std::to_string(code) + ' ' + text(member(error, "reason"))] +=
          count(error, "count");
    });
    method.total = counts(member(one, "total"));
    method.queue = counts(member(one, "queue"));
    method.run = counts(member(one, "run"));
    method.total_ms = number(member(one, "total"), "sum_ms");
    method.queue_ms = number(member(one, "queue"), "sum_ms");
    method.run_ms = number(member(one, "run"), "sum_ms");
    for_each_member(member(one, "fetch"), [&](const std::string& upstream, const Value& fetch) {
      FetchSample& fetches = sample.fetches[upstream];
      const Counts took = counts(member(fetch, "took"));
      add(fetches.took, took);
      add(method.fetch, took);
      for_each_member(member(fetch, "failed"), [&](const std::string&, const Value& failed) {
        if (failed.IsUint64()) fetches.failed += failed.GetUint64();
      });
    });
  });
}

void parse_upstreams(const Value& upstreams, Sample& sample) {
  for_each_element(upstreams, [&](const Value& one) {
    const Value& is_open = member(one, "breaker_open");
    const Value& cache = member(one, "cache");
    sample.upstreams.push_back({text(member(one, "name")), count(one, "in_flight"),
                                count(one, "waiting"), is_open.IsBool() && is_open.GetBool(),
                                count(one, "addresses"), count(one, "ejected"), cache.IsObject(),
                                count(cache, "hit") + count(cache, "stale"),
                                count(cache, "miss") + count(cache, "coalesced")});
  });
}

void parse_workers(const Value& document, Sample& sample) {
  for_each_element(member(document, "workers"), [&](const Value& one) {
    sample.workers.push_back({count(one, "slot"), count(one, "pid"), text(member(one, "state")),
                              text(member(one, "method")), number(one, "busy_for_ms"),
                              number(one, "last_progress_ms"), number(one, "age_s"),
                              number(one, "busy_s"), count(one, "private_bytes"),
                              count(one, "jobs"), count(one, "ends")});
  });
  for_each_member(member(document, "worker_ends"), [&](const std::string& why, const Value& ends) {
    if (ends.IsUint64()) sample.worker_ends[why] = ends.GetUint64();
  });
}

}  // namespace

uint64_t more(uint64_t now, uint64_t before) {
  return now - std::min(before, now);
}

Counts more(const Counts& now, const Counts& before) {
  Counts difference = now;
  for (size_t i = 0; i < std::min(now.size(), before.size()); ++i)
    difference[i] = more(now[i], before[i]);
  return difference;
}

void add(Counts& sum, const Counts& more) {
  if (sum.size() < more.size()) sum.resize(more.size());
  for (size_t i = 0; i < more.size(); ++i)
    sum[i] += more[i];
}

std::optional<Sample> parse_sample(std::string_view page) {
  rapidjson::Document document;
  document.Parse(page.data(), page.size());
  if (document.HasParseError() || !member(document, "methods").IsObject()) return std::nullopt;
  Sample sample;
  sample.pid = count(document, "pid");
  sample.at_s = number(document, "now_ns") / 1e9;
  sample.uptime_s = number(document, "uptime_s");
  sample.status = text(member(document, "status"));
  const Value& overloaded = member(document, "overloaded");
  sample.is_overloaded = overloaded.IsBool() && overloaded.GetBool();
  sample.in_flight = count(document, "in_flight");
  sample.queued = count(document, "queued");
  for_each_element(member(document, "bounds_ms"), [&](const Value& bound) {
    sample.bounds_ms.push_back(bound.IsNumber() ? bound.GetDouble() : 0);
  });
  parse_methods(member(document, "methods"), sample);
  parse_workers(document, sample);
  for_each_element(member(document, "clients"), [&](const Value& one) {
    sample.clients.push_back({text(member(one, "name")), number(one, "used"), number(one, "weight"),
                              count(one, "in_flight"), count(one, "ok"), count(one, "refused")});
  });
  parse_upstreams(member(document, "upstreams"), sample);
  return sample;
}

Result<Sample> take_sample(const std::string& address) {
  constexpr std::string_view kPath = "/status.json";
  const Result<std::string> page = get_page(address, kPath);
  if (!page) return tl::unexpected(page.error());
  std::optional<Sample> sample = parse_sample(*page);
  if (sample) return std::move(*sample);
  return not_the_page(address, kPath);
}

}  // namespace ringmaster::cli
