#include "cli/plan_options.h"

#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <string_view>
#include <utility>

#include <CLI/CLI.hpp>

#include "base/ascii.h"
#include "cli/command_rules.h"
#include "config/addresses.h"
#include "config/options.h"

namespace ringmaster::cli {
namespace {

constexpr double kRpsMax = 1e8;
constexpr double kMsMax = 3'600'000;
constexpr uint64_t kNodesMax = 1'000'000;
constexpr std::string_view kHttp = "http://";

void add_ms(CLI::App& app, const char* name, double& value, const char* help) {
  app.add_option(name, value, help)->type_name("MS")->check(CLI::Range(0.0, kMsMax));
}

void describe_load(CLI::App& app, PlanOptions& options) {
  app.add_option("--rps", options.rps, "the load: N requests a second")
      ->type_name("N")
      ->check(CLI::Range(0.0, kRpsMax));
  add_ms(app, "--cpu-ms", options.cpu_ms,
         "the time that a request keeps a worker busy, on average");
  app.add_option("--cpu-cv", options.cpu_cv,
                 "how much --cpu-ms varies: the standard deviation / the mean (default 0: all\n"
                 "requests take the same time)")
      ->type_name("X")
      ->check(CLI::Range(0.0, 10.0));
  add_ms(app, "--io-ms", options.io_ms, "the time that the fetches of a request take (default 0)");
  add_ms(app, "--p99-ms", options.p99_ms, "the promise: 99 of 100 requests take at most MS");
  app.add_option("--from", options.from,
                 "take the load from the status port of a running server, or from the file that\n"
                 "`ringmaster trace` wrote, not from --rps and --cpu-ms; once for each server of\n"
                 "a fleet")
      ->type_name("[http://]HOST:PORT|unix:PATH|FILE")
      ->allow_extra_args(false);
  app.add_option("--seconds", options.seconds,
                 "--from: watch the server for S (default 10); no files")
      ->type_name("S")
      ->check(CLI::Range(0.1, 3600.0));
}

// Parses change.text and stores the number in change.value. The error names the expected form and
// the text.
Status read_change(const char* option, CountChange& change, uint64_t most) {
  if (!change.is_given()) return {};
  std::string_view digits = change.text;
  if (change.is_relative()) digits.remove_prefix(1);
  const uint64_t value = to_number<uint64_t>(digits).value_or(0);
  if (value == 0 || value > most) {
    return usage(fmt::format("plan: {}: expected 1 to {}, or a change such as +1 or -1, found {}",
                             option, most, change.text));
  }
  change.value = change.text[0] == '-' ? -static_cast<int64_t>(value) : static_cast<int64_t>(value);
  return {};
}

Status read_factor(PlanOptions& options) {
  if (options.load.empty()) return {};
  std::string_view number = options.load;
  if (number.ends_with('x')) number.remove_suffix(1);
  const char* const end = number.data() + number.size();
  const auto [parsed, error] = std::from_chars(number.data(), end, options.load_factor);
  if (error == std::errc() && parsed == end && options.load_factor > 0 &&
      options.load_factor <= 1000) {
    return {};
  }
  return usage(fmt::format("plan: --load: expected a factor up to 1000x, such as 2x, found {}",
                           options.load));
}

// Removes "http://" and a final "/". A source that is no address is a file, unless it began with
// "http://": then it is an error.
Status read_sources(PlanOptions& options) {
  size_t files = 0;
  for (std::string& source : options.from) {
    const bool is_http = source.starts_with(kHttp);
    if (is_http) source.erase(0, kHttp.size());
    if (source.ends_with('/') && !source.starts_with("unix:")) source.pop_back();
    const auto fault = config::find_fault_in_address(source);
    if (fault && is_http) return usage("plan: --from: " + *fault);
    files += fault.has_value();
  }
  options.is_traced = files > 0;
  if (files == 0 || files == options.from.size()) return {};
  return usage("plan: --from: expected either servers or traces, found both");
}

// CLI::Range lets nan pass.
Status check_numbers(const PlanOptions& options) {
  for (const double value :
       {options.rps, options.cpu_ms, options.cpu_cv, options.io_ms, options.p99_ms, options.seconds,
        options.io_add_ms, options.timeout_ms}) {
    if (std::isnan(value)) return usage("plan: expected numbers, found nan");
  }
  return {};
}

Status check_given_load(const PlanOptions& options) {
  const std::pair<const char*, bool> needed[] = {{"--rps", options.rps > 0},
                                                 {"--cpu-ms", options.cpu_ms > 0}};
  for (const auto& [name, is_given] : needed) {
    if (!is_given) {
      return usage(fmt::format("plan: expected {} above 0, or --from, found none", name));
    }
  }
  if (options.p99_ms == 0 && !options.workers.is_given()) {
    return usage(
        "plan: expected --p99-ms, to find out how many nodes are needed, or --workers, to find out "
        "what N workers can do, found none");
  }
  const std::pair<const char*, bool> changes[] = {{"--load", !options.load.empty()},
                                                  {"--io-add-ms", options.io_add_ms > 0},
                                                  {"--workers", options.workers.is_relative()},
                                                  {"--nodes", options.nodes.is_relative()}};
  for (const auto& [name, is_change] : changes) {
    if (is_change) {
      return usage(
          fmt::format("plan: {} changes what a running server has: expected --from, too", name));
    }
  }
  return {};
}

Status check_measured_load(const PlanOptions& options) {
  const std::pair<const char*, bool> measured[] = {{"--rps", options.rps > 0},
                                                   {"--cpu-ms", options.cpu_ms > 0},
                                                   {"--cpu-cv", options.cpu_cv > 0},
                                                   {"--io-ms", options.io_ms > 0}};
  for (const auto& [name, is_given] : measured) {
    if (is_given) {
      return usage(
          fmt::format("plan: expected either {} or --from, which measures it, found both", name));
    }
  }
  return {};
}

}  // namespace

void describe_plan(CLI::App& app, PlanOptions& options) {
  app.allow_extras();
  describe_load(app, options);
  app.add_option("--cores-per-node", options.cores_per_node,
                 "a node has N cores, and N workers (default 8)")
      ->type_name("N")
      ->check(CLI::Range(uint64_t{1}, master::kWorkersMax));
  app.add_option("--workers", options.workers.text,
                 "each node has N workers; with --from also +N or -N: N more or N fewer")
      ->type_name("N");
  app.add_option("--nodes", options.nodes.text, "there are N nodes; with --from also +N or -N")
      ->type_name("N");
  app.add_option("--load", options.load, "--from: as if there were FACTOR times the requests")
      ->type_name("FACTORx");
  add_ms(app, "--io-add-ms", options.io_add_ms, "--from: as if fetches took MS longer");
  app.add_option("--at-once", options.at_once,
                 "clients send N requests at once, as a batch (default 1, or as a trace has it)")
      ->type_name("N")
      ->check(CLI::Range(1, 10'000));
  app.add_option("--timeout-ms", options.timeout_ms, "timeout_ms of the methods (default 1000)")
      ->type_name("MS")
      ->check(CLI::Range(1.0, kMsMax));
  app.add_option("--payload-bytes", options.payload_bytes,
                 "a request has params and fetched bodies of N bytes together (default 16384)")
      ->type_name("N")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1} << 32));
  app.add_flag("--simulate", options.simulate,
               "also run the server's own scheduler in virtual time");
  app.add_option("--seed", options.seed, "--simulate: the seed of the arrivals (default 1)")
      ->type_name("N");
  app.add_flag("--json", options.json, "print the plan as JSON");
}

Status finish_plan(PlanOptions& options) {
  if (Status numbers = check_numbers(options); !numbers) return numbers;
  if (Status read = read_change("--workers", options.workers, master::kWorkersMax); !read)
    return read;
  if (Status read = read_change("--nodes", options.nodes, kNodesMax); !read) return read;
  if (Status read = read_factor(options); !read) return read;
  if (Status read = read_sources(options); !read) return read;
  return options.from.empty() ? check_given_load(options) : check_measured_load(options);
}

}  // namespace ringmaster::cli
