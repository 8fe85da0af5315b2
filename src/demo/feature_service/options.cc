#include "demo/feature_service/options.h"

#include <algorithm>
#include <fmt/format.h>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/ascii.h"
#include "base/nearest.h"
#include "base/version.h"

namespace ringmaster::feature_service {
namespace {

constexpr uint64_t kMsMax = 86'400'000;
constexpr uint64_t kEventsMax = 100'000'000;

constexpr std::string_view kFooter =
    "Every request draws a delay, then at most one fault; the rates must sum to at most 1.\n"
    "A request header \"X-Fault: NAME\" (none, fail, hang, slow-drip, garbage, huge, close) takes\n"
    "the place of the fault drawn. SIGTERM and SIGINT end the service.";

void add_fault(CLI::App& app, Options& options, Fault fault, const char* name, const char* help) {
  app.add_option(name, options.fates.rates[static_cast<size_t>(fault)], help)
      ->check(CLI::Range(0.0, 1.0))
      ->type_name("0..1");
}

void add_options(CLI::App& app, Options& options, std::string& distribution) {
  app.add_option("--listen", options.address, "where to serve; port 0: the system chooses")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  app.add_option("--sessions", options.sessions,
                 "users from an MSNBC .seq or .seq.gz file: user N is its N-th sequence; without "
                 "it, users 1 to 1,000,000 from a built-in Markov chain")
      ->type_name("FILE");
  app.add_option("--events", options.events, "give every user N events")
      ->check(CLI::Range(uint64_t{0}, kEventsMax))
      ->type_name("N");
  app.add_option("--delay-ms", options.fates.delay_ms, "mean delay before an answer")
      ->check(CLI::Range(uint64_t{0}, kMsMax))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--delay-distribution", distribution,
                 "constant; uniform: 0 to twice the mean; exponential; lognormal (sigma 0.5): 1 in "
                 "100 above 2.8 times the mean")
      ->type_name("NAME")
      ->capture_default_str();
  add_fault(app, options, Fault::kFail, "--fail-rate", "share of requests answered with a 500");
  add_fault(app, options, Fault::kHang, "--hang-rate", "share never answered");
  add_fault(app, options, Fault::kSlowDrip, "--slow-drip-rate", "share answered byte by byte");
  add_fault(app, options, Fault::kGarbage, "--garbage-rate",
            "share answered with bytes that are not JSON");
  add_fault(app, options, Fault::kHuge, "--huge-rate", "share answered with events without end");
  add_fault(app, options, Fault::kClose, "--close-rate", "share closed in the middle of the body");
  app.add_option("--drip-ms", options.drip_ms, "time between two bytes of a slow drip")
      ->check(CLI::Range(uint64_t{1}, kMsMax))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--seed", options.fates.seed, "seed of the random faults and delays")
      ->type_name("N")
      ->capture_default_str();
}

tl::unexpected<Error> unknown_word(const CLI::App& app, const std::string& word) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    names.push_back(option->get_name());
  }
  const std::vector<std::string_view> known(names.begin(), names.end());
  const std::string name = word.substr(0, word.find('='));
  return fail(ExitCode::kUsage,
              fmt::format("unknown {} {}{}", word.starts_with('-') ? "option" : "argument", name,
                          did_you_mean(name, known)));
}

Status check_address(const std::string& address) {
  const size_t colon = address.rfind(':');
  const bool has_host = colon != std::string::npos && colon > 0;
  if (!has_host || !to_number<uint16_t>(address.substr(colon + 1))) {
    return fail(
        ExitCode::kUsage,
        fmt::format("--listen: expected HOST:PORT with a port from 0 to 65535, found \"{}\"",
                    address));
  }
  return {};
}

Status check(const std::string& distribution, Options& options) {
  const auto known = distribution_names();
  const auto found = std::find(known.begin(), known.end(), distribution);
  if (found == known.end()) {
    return fail(ExitCode::kUsage, fmt::format("--delay-distribution: unknown distribution {}{}",
                                              distribution, did_you_mean(distribution, known)));
  }
  options.fates.distribution = static_cast<DelayDistribution>(found - known.begin());
  double sum = 0;
  for (double rate : options.fates.rates) {
    sum += rate;
  }
  // Refuses a NaN, too: CLI11's ranges let it pass. Sums such as 0.1 + 0.2 + 0.7 round above 1.
  if (!(sum <= 1 + 1e-9)) {
    return fail(ExitCode::kUsage,
                fmt::format("expected fault rates that sum to at most 1, found {}", sum));
  }
  return check_address(options.address);
}

}  // namespace

Result<CommandLine> parse_options(int argc, char** argv) {
  CommandLine line;
  std::string distribution = "constant";
  CLI::App app("feature_service: answers POST /features {\"user_id\": 42} with that user's events.",
               "feature_service");
  app.footer(std::string(kFooter));
  app.set_version_flag("--version", "feature_service " + std::string(kVersion));
  app.allow_extras();  // so that unknown_word() can suggest the nearest word
  add_options(app, line.options, distribution);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    line.text = app.help();
    return line;
  } catch (const CLI::CallForVersion&) {
    line.text = app.version();
    return line;
  } catch (const CLI::ParseError& error) {
    return fail(ExitCode::kUsage, error.what());
  }
  if (!app.remaining().empty()) return unknown_word(app, app.remaining().front());
  if (Status checked = check(distribution, line.options); !checked)
    return tl::unexpected(checked.error());
  return line;
}

}  // namespace ringmaster::feature_service
