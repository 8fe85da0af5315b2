#include "cli/bench.h"

#include <cstdio>
#include <fmt/format.h>
#include <string>
#include <unistd.h>
#include <utility>

#include "base/json/scan.h"

namespace ringmaster::cli {
namespace {

constexpr int kNoResult = 1;  // the exit code

constexpr double kShownPercents[] = {50, 90, 99, 99.9};
// Enough percentiles to draw the distribution.
constexpr double kPercents[] = {1, 5, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9};

double per_s(uint64_t count, double seconds) {
  return seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

double us(uint64_t ns) {
  return static_cast<double>(ns) / 1e3;
}

double own_us_per_request(const bench::Report& report) {
  return report.all_sent == 0 ? 0 : report.own_cpu_s * 1e6 / static_cast<double>(report.all_sent);
}

std::string latency_json(const bench::Histogram& latency) {
  std::string out = fmt::format(R"({{"mean":{:.1f})", latency.mean_ns() / 1e3);
  for (const double percent : kPercents)
    out += fmt::format(R"(,"p{:g}":{:.1f})", percent, us(latency.percentile_ns(percent)));
  return out + fmt::format(R"(,"max":{:.1f}}})", us(latency.max_ns()));
}

std::string latency_text(const bench::Histogram& latency) {
  std::string out = fmt::format("mean {:.2f} ms", latency.mean_ns() / 1e6);
  for (const double percent : kShownPercents)
    out += fmt::format(", p{:g} {:.2f}", percent, us(latency.percentile_ns(percent)) / 1e3);
  return out + fmt::format(", max {:.2f}", us(latency.max_ns()) / 1e3);
}

std::string describe(const bench::Options& options) {
  if (options.rate == 0) return fmt::format("closed loop, {} at once", options.concurrency);
  const bool is_poisson = options.arrivals == bench::Arrivals::Kind::kPoisson;
  return fmt::format("open loop, {:g}/s {}, seed {}", options.rate,
                     is_poisson ? "poisson" : "constant", options.seed);
}

void show_progress(const bench::Progress& progress) {
  fmt::print(stderr, "\r{:.0f} s: {} sent, {} answered ", progress.elapsed_s, progress.sent,
             progress.answered);
}

std::string to_text(const bench::Options& options, const bench::Report& report) {
  std::string out = fmt::format("{} at {}: {}, {} connections\n", options.method, options.address,
                                describe(options), options.connections);
  out += fmt::format("{} sent, {} results ({:.1f}/s), {} lost\n", report.sent, report.results,
                     per_s(report.results, report.measured_s), report.lost);
  if (report.latency.count() > 0) out += "results: " + latency_text(report.latency) + "\n";
  if (options.in_time_ms > 0) {
    out += fmt::format("{} results within {:g} ms\n", report.in_time, options.in_time_ms);
  }
  for (const auto& [code, count] : report.errors)
    out += fmt::format("error {}: {}\n", code, count);
  if (!report.errors.empty()) out += "errors: " + latency_text(report.error_latency) + "\n";
  if (report.unexpected > 0) {
    out += fmt::format("{} answers that belong to no request\n", report.unexpected);
  }
  return out + fmt::format("cost of this client: {:.1f} us of CPU a request\n",
                           own_us_per_request(report));
}

std::string to_json(const bench::Options& options, const bench::Report& report) {
  std::string errors;
  for (const auto& [code, count] : report.errors)
    errors += fmt::format("{}\"{}\":{}", errors.empty() ? "" : ",", code, count);
  return fmt::format(
      R"({{"address":{},"method":{},"load":{},"connections":{},"measured_s":{:.3f},)"
      R"("sent":{},"results":{},"results_per_s":{:.1f},"in_time":{},"errors":{{{}}},"lost":{},)"
      R"("unexpected":{},"latency_us":{},"error_latency_us":{},"own_cpu_us_per_request":{:.2f}}})",
      json::quote(options.address), json::quote(options.method), json::quote(describe(options)),
      options.connections, report.measured_s, report.sent, report.results,
      per_s(report.results, report.measured_s), report.in_time, errors, report.lost,
      report.unexpected, latency_json(report.latency), latency_json(report.error_latency),
      own_us_per_request(report));
}

}  // namespace

Result<int> bench(const bench::Options& options, bool is_json) {
  const bool is_terminal = ::isatty(STDERR_FILENO) == 1;
  const auto progress = [&](const bench::Progress& now) {
    if (is_terminal) show_progress(now);
  };
  const Result<bench::Report> report = bench::run_load(options, progress);
  if (is_terminal) fmt::print(stderr, "\r\033[K");
  if (!report) return tl::unexpected(report.error());
  const std::string text = is_json ? to_json(options, *report) + "\n" : to_text(options, *report);
  std::fputs(text.c_str(), stdout);
  return report->results > 0 ? 0 : kNoResult;
}

}  // namespace ringmaster::cli
