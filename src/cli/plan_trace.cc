#include "cli/plan_trace.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <map>
#include <optional>
#include <rapidjson/document.h>
#include <utility>

#include "base/json/scan.h"
#include "base/regular_file.h"
#include "cli/json_members.h"
#include "config/options.h"
#include "plan/arrivals.h"

namespace ringmaster::cli {
namespace {

using rapidjson::Value;

constexpr size_t kTraceBytesMax = 64 << 20;  // a trace has some megabytes
constexpr const char* kTraceExpected = "expected the file of `ringmaster trace`";

// From a microsecond to a minute, 16 for each doubling.
std::vector<double> bounds_of_traces_ms() {
  std::vector<double> bounds_ms;
  for (int i = 0; i <= 26 * 16; ++i)
    bounds_ms.push_back(1e-3 * std::exp2(i / 16.0));
  return bounds_ms;
}

struct TracedRequest {
  std::string method;
  std::string error;  // "code reason"
  bool has_result = false;
  bool has_fetch = false;
  double ended_us = -1;  // -1: it is in flight
  double total_us = 0;
  double queue_us = 0;
  double run_us = 0;
};

class TraceReader {
 public:
  // REQUIRES: `about` is the otherData of a trace of recent requests.
  explicit TraceReader(const Value& about)
      : since_us_(number(about, "since_us")), now_us_(number(about, "now_us")) {
    watched_.before.at_s = since_us_ / 1e6;
    watched_.after.at_s = now_us_ / 1e6;
    watched_.after.bounds_ms = bounds_of_traces_ms();
    watched_.after.workers.resize(std::min(count(about, "workers"), master::kWorkersMax));
  }

  void read(const Value& event);
  // Empty: no request got a result.
  std::optional<Watched> finish();

 private:
  void read_bar(const Value& event, const std::string& category);
  void read_begin_or_end(const Value& event, const std::string& category, bool is_end);
  void add(Counts& counts, double& sum_ms, double us) const;

  const double since_us_;
  const double now_us_;
  std::map<uint64_t, TracedRequest> requests_;
  std::vector<double> arrivals_s_;
  Watched watched_;
};

void TraceReader::read(const Value& event) {
  const std::string phase = text(member(event, "ph"));
  const std::string category = text(member(event, "cat"));
  if (phase == "X") read_bar(event, category);
  if (phase == "b" || phase == "e") read_begin_or_end(event, category, phase == "e");
}

void TraceReader::read_bar(const Value& event, const std::string& category) {
  const Value& about = member(event, "args");
  const double begin_us = number(event, "ts");
  if (category == "mark" && text(member(about, "end")) == "admitted" && begin_us > since_us_) {
    ++watched_.after.methods[text(member(about, "method"))].admitted;
    arrivals_s_.push_back(begin_us / 1e6);
  }
  if (category != "run") return;
  const double took_us = number(event, "dur");
  requests_[count(about, "request")].run_us += took_us;
  if (watched_.after.workers.empty()) return;
  const double within_us = std::min(took_us, begin_us + took_us - since_us_);
  watched_.after.workers[0].busy_s += std::max(0.0, within_us) / 1e6;
}

// A bar of these categories is two events: "b", its begin, with arguments, and "e", its end.
void TraceReader::read_begin_or_end(const Value& event, const std::string& category, bool is_end) {
  TracedRequest& request = requests_[count(event, "id")];
  const double at_us = is_end ? number(event, "ts") : -number(event, "ts");
  if (category == "queue") request.queue_us += at_us;
  if (category == "fetch") request.has_fetch = true;
  if (category != "request") return;
  request.total_us += at_us;
  if (is_end) {
    request.ended_us = at_us;
    return;
  }
  const Value& about = member(event, "args");
  request.method = text(member(about, "method"));
  const Value& given = member(about, "code");
  const int64_t code = given.IsInt64() ? given.GetInt64() : 0;
  if (code != 0) request.error = fmt::format("{} {}", code, text(member(about, "reason")));
  request.has_result = code == 0 && text(member(about, "end")) == "answered";
}

void TraceReader::add(Counts& counts, double& sum_ms, double us) const {
  const std::vector<double>& bounds_ms = watched_.after.bounds_ms;
  counts.resize(bounds_ms.size() + 1);
  const auto bound = std::lower_bound(bounds_ms.begin(), bounds_ms.end(), us / 1e3);
  ++counts[static_cast<size_t>(bound - bounds_ms.begin())];
  sum_ms += us / 1e3;
}

std::optional<Watched> TraceReader::finish() {
  bool has_results = false;
  for (const auto& [number, request] : requests_) {
    if (request.ended_us <= since_us_) continue;
    MethodSample& method = watched_.after.methods[request.method];
    if (!request.error.empty()) ++method.errors[request.error];
    if (!request.has_result) continue;
    has_results = true;
    ++method.ok;
    add(method.total, method.total_ms, request.total_us);
    add(method.queue, method.queue_ms, request.queue_us);
    add(method.run, method.run_ms, request.run_us);
    double fetch_ms = 0;  // not needed: the sum of the fetches follows from the three others
    if (request.has_fetch) {
      add(method.fetch, fetch_ms, request.total_us - request.queue_us - request.run_us);
    }
  }
  if (!has_results) return std::nullopt;
  watched_.at_once = plan::arrivals_at_once(arrivals_s_, since_us_ / 1e6, now_us_ / 1e6);
  return std::move(watched_);
}

}  // namespace

Result<Watched> watched_in(std::string_view trace) {
  if (const auto fault = json::find_fault(trace)) {
    return fail(ExitCode::kUsage, fmt::format("{}: {}", kTraceExpected, *fault));
  }
  rapidjson::Document document;
  document.Parse(trace.data(), trace.size());
  if (document.HasParseError()) return fail(ExitCode::kUsage, kTraceExpected);
  const Value& about = member(document, "otherData");
  const std::string requests = text(member(about, "requests"));
  if (requests == "kept") {
    return fail(
        ExitCode::kUsage,
        "expected a trace of all recent requests, found one of the kept requests, most of them "
        "slow or failed: record it without --kept");
  }
  if (requests != "recent") {
    return fail(ExitCode::kUsage,
                fmt::format("{}, found no \"requests\" in \"otherData\"", kTraceExpected));
  }
  TraceReader reader(about);
  for_each_element(member(document, "traceEvents"),
                   [&](const Value& event) { reader.read(event); });
  std::optional<Watched> watched = reader.finish();
  if (watched) return std::move(*watched);
  return fail(
      ExitCode::kUsage,
      "expected requests that were answered with a result, found none: record the trace while the "
      "server is under load");
}

Result<MeasuredLoad> read_traces(const std::vector<std::string>& paths) {
  std::vector<Watched> servers;
  for (const std::string& path : paths) {
    const auto named = [&path](const std::string& why) {
      return fail(ExitCode::kUsage, fmt::format("plan: --from: {}: {}", path, why));
    };
    const auto file = read_regular_file(path, kTraceBytesMax);
    if (!file) {
      return named(fmt::format("{}: {}, or the status port HOST:PORT or unix:PATH of a server",
                               file.error(), kTraceExpected));
    }
    Result<Watched> watched = watched_in(*file);
    if (!watched) return named(watched.error().message);
    servers.push_back(std::move(*watched));
  }
  return measured_load(servers);
}

}  // namespace ringmaster::cli
