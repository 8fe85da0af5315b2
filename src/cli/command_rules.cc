#include "cli/command_rules.h"

#include <algorithm>
#include <fmt/format.h>
#include <string_view>
#include <utility>

#include "base/nearest.h"
#include "cli/params.h"
#include "config/addresses.h"
#include "config/tokens.h"

namespace ringmaster::cli {
namespace {

constexpr std::string_view kLogFormats[] = {"logfmt", "json"};
constexpr std::string_view kArrivals[] = {"poisson", "constant"};

Status check_server_name(const CommandLine& line, const std::string& command) {
  if (line.to.empty() || line.config.empty()) return {};
  return usage(command + ": expected either -c or --to, found both");
}

// `params`: the text to check, for bench with numbers in place of $i.
Status check_request(const CommandLine& line, const std::string& command,
                     const std::string& params) {
  if (line.method.empty()) return usage(command + ": expected a METHOD, found none");
  if (Status named = check_server_name(line, command); !named) return named;
  if (line.tls.certificate.empty() != line.tls.key.empty()) {
    return usage(fmt::format("{}: expected both of --cert and --key, found only --{}", command,
                             line.tls.key.empty() ? "cert" : "key"));
  }
  return check_params(command, params);
}

Status finish_bench(CommandLine& line) {
  if (line.arrivals != "poisson" && line.arrivals != "constant") {
    return usage(fmt::format("bench: expected --arrivals poisson or constant, found {}{}",
                             line.arrivals, did_you_mean(line.arrivals, kArrivals)));
  }
  line.load.arrivals = line.arrivals == "poisson" ? bench::Arrivals::Kind::kPoisson
                                                  : bench::Arrivals::Kind::kConstant;
  line.load.method = line.method;
  line.load.params = line.params;
  std::replace(line.load.params.begin(), line.load.params.end(), '\n', ' ');
  // Each request gets its number in place of $i: any number shows whether the rest is JSON.
  std::string example = line.params;
  for (size_t at; (at = example.find("$i")) != std::string::npos;)
    example.replace(at, 2, "1");
  return check_request(line, "bench", example);
}

Status check_serve(const CommandLine& line) {
  for (std::string_view format : kLogFormats) {
    if (line.log_format == format) return {};
  }
  return usage(fmt::format("serve: expected --log-format logfmt or json, found {}{}",
                           line.log_format, did_you_mean(line.log_format, kLogFormats)));
}

Status check_check(const CommandLine& line) {
  if (!line.schema || (line.config.empty() && !line.dump)) return {};
  return usage(fmt::format("check: expected either {} or --schema, found both",
                           line.config.empty() ? "--dump" : "-c"));
}

Status check_run(const CommandLine& line) {
  if (line.handler.empty()) return usage("run: expected a HANDLER, found none");
  if (line.gdb && line.params == "-") {
    return usage("run: expected PARAMS as text or as @FILE: with --gdb, stdin is gdb's; found -");
  }
  return {};
}

Status check_dev(const CommandLine& line) {
  if (!line.file.ends_with(".py")) {
    return usage(fmt::format("dev: expected FILE.py, a file of Python, found {}",
                             line.file.empty() ? "none" : line.file));
  }
  if (const auto fault = config::find_fault_in_address(line.listen)) {
    return usage("dev: --listen: " + *fault);
  }
  if (net::is_tls(line.listen)) {
    return usage(
        "dev: --listen: TLS needs a certificate, and so a configuration: "
        "--print-config prints the configuration");
  }
  return {};
}

}  // namespace

tl::unexpected<Error> usage(std::string message) {
  return fail(ExitCode::kUsage, message + "\nringmaster help SUBCOMMAND lists its options");
}

Status apply_rules(CommandLine& line, const std::string& command) {
  if (line.command == Command::kDiscover) line.method = "rpc.discover";
  if (!line.token_file.empty()) {
    const auto token = config::read_first_token(line.token_file);
    if (!token) return usage(command + ": --token-file: " + token.error());
    line.load.token = *token;
  }
  // Checked before stdin is read.
  if (Status valid = line.command == Command::kRun ? check_run(line) : Status(); !valid)
    return valid;
  Result<std::string> params = read_text_argument(command + ": expected PARAMS", line.params);
  if (!params) return tl::unexpected(params.error());
  line.params = std::move(*params);
  switch (line.command) {
    case Command::kServe:
      return check_serve(line);
    case Command::kCheck:
      return check_check(line);
    case Command::kCall:
      return check_request(line, command, line.params);
    case Command::kDiscover:
      return check_request(line, command, "");
    case Command::kBench:
      return finish_bench(line);
    case Command::kRun:
      return check_params(command, line.params);
    case Command::kReplay:
      return line.file.empty() ? usage("replay: expected a FILE, a kept job, found none")
                               : Status();
    case Command::kTop:
    case Command::kTrace:
      return check_server_name(line, command);
    case Command::kDev:
      return check_dev(line);
    case Command::kPlan:
      return finish_plan(line.plan);
    default:
      return {};
  }
}

}  // namespace ringmaster::cli
