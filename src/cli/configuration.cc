#include "cli/configuration.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "config/addresses.h"

namespace ringmaster::cli {

int print_problems(std::FILE* where, const std::vector<config::Problem>& problems) {
  for (const config::Problem& problem : problems) {
    std::fprintf(where, "%s\n", config::to_string(problem).c_str());
  }
  return static_cast<int>(ExitCode::kConfig);
}

Result<master::Options> load_of_server(const CommandLine& line, std::string_view command) {
  if (line.config.empty()) return master::Options();
  config::Loaded loaded = config::load(line.config);
  if (loaded.problems.empty()) return std::move(loaded.options);
  print_problems(stderr, loaded.problems);
  return fail(ExitCode::kConfig,
              fmt::format("{}: {} has the faults above; correct them, or use --to instead", command,
                          line.config));
}

Result<std::string> find_server(const CommandLine& line, std::string_view command) {
  std::string address = line.to.empty() ? master::kDefaultRpcAddress : line.to;
  if (!line.config.empty()) {
    const Result<master::Options> options = load_of_server(line, command);
    if (!options) return tl::unexpected(options.error());
    const auto& all = options->listen_rpc;
    const auto plain = std::find_if_not(all.begin(), all.end(), net::is_tls);
    address = plain == all.end() ? all.front() : *plain;
  }
  const auto fault = config::find_fault_in_address(address);
  if (fault) return fail(ExitCode::kUsage, fmt::format("{}: --to: {}", command, *fault));
  if (net::is_tls(address) && line.command == Command::kBench) {
    return fail(ExitCode::kUsage,
                fmt::format("{}: {} takes TLS, which this command does not speak: "
                            "name a plain address of the server with --to",
                            command, address));
  }
  if (!net::is_tls(address) && !line.tls.is_empty()) {
    return fail(ExitCode::kUsage, fmt::format("{}: --ca, --cert and --key are for tls://HOST:PORT, "
                                              "found {}",
                                              command, address));
  }
  if (address.ends_with(":0") && !net::is_unix(address)) {
    return fail(ExitCode::kUsage, fmt::format("{}: {} lets the system choose the port; "
                                              "use --to with the address that the server logged",
                                              command, address));
  }
  return address;
}

}  // namespace ringmaster::cli
