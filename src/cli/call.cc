#include "cli/call.h"

#include <algorithm>
#include <cstdio>
#include <fmt/format.h>
#include <rapidjson/document.h>

#include "base/json.h"
#include "cli/client.h"
#include "cli/configuration.h"
#include "config/addresses.h"

namespace ringmaster::cli {
namespace {

constexpr std::string_view kDefaultAddress = "127.0.0.1:7070";
constexpr int kAnsweredWithError = 1;
constexpr size_t kShownBytesMax = 200;

// Where to call; 78, its problems printed, for a bad configuration.
Result<std::string> find_address(const CommandLine& line) {
  std::string address = line.to.empty() ? std::string(kDefaultAddress) : line.to;
  if (!line.config.empty()) {
    const config::Loaded loaded = config::load(line.config);
    if (!loaded.problems.empty()) {
      print_problems(stderr, loaded.problems);
      return fail(ExitCode::kConfig,
                  "call: the configuration does not say where the server is; use --to");
    }
    address = loaded.options.listen_rpc.front();
  }
  const auto fault = config::find_fault_in_address(address);
  if (fault) return fail(ExitCode::kUsage, "call: --to: " + *fault);
  if (address.ends_with(":0") && !address.starts_with("unix:")) {
    return fail(ExitCode::kUsage, fmt::format("call: {} lets the system choose the port; "
                                              "name the one that the server logged with --to",
                                              address));
  }
  return address;
}

std::string make_request(const CommandLine& line) {
  std::string params = line.params;
  // A line end within a message would end it; in JSON it can only stand between tokens.
  std::replace(params.begin(), params.end(), '\n', ' ');
  std::replace(params.begin(), params.end(), '\r', ' ');
  return fmt::format("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":{}{}{}}}\n",
                     json::quote(line.method), params.empty() ? "" : ",\"params\":", params);
}

// A JSON string's text; anything else as it is written.
std::string text_of(std::string_view json) {
  rapidjson::Document document;
  document.Parse(json.data(), json.size());
  if (document.HasParseError() || !document.IsString()) return std::string(json);
  return {document.GetString(), document.GetStringLength()};
}

}  // namespace

Result<int> call(const CommandLine& line) {
  const Result<std::string> address = find_address(line);
  if (!address) return tl::unexpected(address.error());
  const Result<std::string> answer = ask(*address, make_request(line), line.timeout_ms);
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
  std::fwrite(result.data(), 1, result.size(), stdout);
  std::fputc('\n', stdout);
  return 0;
}

}  // namespace ringmaster::cli
