#include "cli/call.h"

#include <algorithm>
#include <cstdio>
#include <fmt/format.h>
#include <rapidjson/document.h>

#include "base/json/scan.h"
#include "cli/client.h"
#include "cli/configuration.h"
#include "cli/pretty_json.h"

namespace ringmaster::cli {
namespace {

constexpr int kAnsweredWithError = 1;
constexpr size_t kShownBytesMax = 200;

std::string make_request(const CommandLine& line) {
  std::string params = line.params;
  // A line end would end the message; in JSON it can only be between tokens.
  std::replace(params.begin(), params.end(), '\n', ' ');
  std::replace(params.begin(), params.end(), '\r', ' ');
  return fmt::format("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":{}{}{}}}\n",
                     json::quote(line.method), params.empty() ? "" : ",\"params\":", params);
}

// A JSON string's text; other values as they are.
std::string text_of(std::string_view json) {
  rapidjson::Document document;
  document.Parse(json.data(), json.size());
  if (document.HasParseError() || !document.IsString()) return std::string(json);
  return {document.GetString(), document.GetStringLength()};
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
  const bool is_object = answer->starts_with('{') && !json::find_fault(*answer);
  const std::string_view error = is_object ? json::find_member(*answer, "error") : "";
  if (error.starts_with('{')) {
    const std::string data(json::find_member(error, "data"));
    const std::string text = fmt::format("error {}: {}\n", json::find_member(error, "code"),
                                         text_of(json::find_member(error, "message")));
    std::fputs((text + data + (data.empty() ? "" : "\n")).c_str(), stderr);
    return kAnsweredWithError;
  }
  const std::string_view result = is_object ? json::find_member(*answer, "result") : "";
  if (result.empty()) {
    return fail(ExitCode::kResource,
                fmt::format("{} answered with something else than JSON-RPC: {}", *address,
                            std::string_view(*answer).substr(0, kShownBytesMax)));
  }
  const std::string text =
      line.command == Command::kDiscover ? pretty_json(result) : std::string(result);
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fputc('\n', stdout);
  return 0;
}

}  // namespace ringmaster::cli
