#include "cli/call.h"

#include <algorithm>
#include <fmt/format.h>
#include <optional>

#include "base/json/scan.h"
#include "cli/client.h"
#include "cli/configuration.h"
#include "cli/response.h"

namespace ringmaster::cli {
namespace {

constexpr size_t kShownAnswerBytes = 200;

std::string make_request(const CommandLine& line) {
  std::string params = line.params;
  // A line end would end the message; in JSON it can only be between tokens.
  std::replace(params.begin(), params.end(), '\n', ' ');
  std::replace(params.begin(), params.end(), '\r', ' ');
  return fmt::format("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":{}{}{}}}\n",
                     json::quote(line.method), params.empty() ? "" : ",\"params\":", params);
}

}  // namespace

Result<int> call(const CommandLine& line) {
  const Result<std::string> address =
      find_server(line, line.command == Command::kCall ? "call" : "discover");
  if (!address) return tl::unexpected(address.error());
  const Timeouts timeouts{static_cast<uint64_t>(line.wait_s * 1000), line.timeout_ms};
  const Result<std::string> answer =
      ask({*address, line.tls, line.load.token}, make_request(line), timeouts);
  if (!answer) return tl::unexpected(answer.error());
  const bool is_pretty = line.command == Command::kDiscover;
  if (const std::optional<int> printed = print_response(*answer, is_pretty)) return *printed;
  return fail(ExitCode::kResource,
              fmt::format("{} answered with something else than JSON-RPC: {}", *address,
                          std::string_view(*answer).substr(0, kShownAnswerBytes)));
}

}  // namespace ringmaster::cli
