#include "cli/response.h"

#include <cstdio>
#include <fmt/format.h>
#include <rapidjson/document.h>
#include <string>

#include "base/json/scan.h"
#include "cli/pretty_json.h"

namespace ringmaster::cli {
namespace {

constexpr int kAnsweredWithError = 1;

// A JSON string's text; other values as they are.
std::string text_of(std::string_view json) {
  rapidjson::Document document;
  document.Parse(json.data(), json.size());
  if (document.HasParseError() || !document.IsString()) return std::string(json);
  return {document.GetString(), document.GetStringLength()};
}

}  // namespace

std::optional<int> print_response(std::string_view response, bool is_pretty) {
  if (!response.starts_with('{') || json::find_fault(response)) return std::nullopt;
  const std::string_view error = json::find_member(response, "error");
  if (error.starts_with('{')) {
    const std::string data(json::find_member(error, "data"));
    const std::string text = fmt::format("error {}: {}\n", json::find_member(error, "code"),
                                         text_of(json::find_member(error, "message")));
    std::fputs((text + data + (data.empty() ? "" : "\n")).c_str(), stderr);
    return kAnsweredWithError;
  }
  const std::string_view result = json::find_member(response, "result");
  if (result.empty()) return std::nullopt;
  const std::string text = is_pretty ? pretty_json(result) : std::string(result);
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fputc('\n', stdout);
  return 0;
}

}  // namespace ringmaster::cli
