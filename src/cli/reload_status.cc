#include "cli/reload_status.h"

#include <optional>
#include <rapidjson/document.h>
#include <string_view>

#include "cli/json_members.h"
#include "cli/status_port.h"

namespace ringmaster::cli {
namespace {

std::optional<EndedReload> parse_ended(const rapidjson::Value& one) {
  if (!member(one, "reload").IsUint64() || !member(one, "generation").IsUint64() ||
      !member(one, "ok").IsBool()) {
    return std::nullopt;
  }
  EndedReload ended{count(one, "reload"), count(one, "generation"), ""};
  if (one["ok"].GetBool()) return ended;
  if (!member(one, "reason").IsString()) return std::nullopt;
  ended.failure = text(one["reason"]);
  return ended;
}

std::optional<ReloadStatus> parse(std::string_view page) {
  rapidjson::Document document;
  document.Parse(page.data(), page.size());
  if (document.HasParseError() || !member(document, "pid").IsInt() ||
      !member(document, "configuration").IsString() || !member(document, "state").IsString() ||
      !member(document, "begun").IsUint64() || !member(document, "ended").IsArray()) {
    return {};
  }
  ReloadStatus status{document["pid"].GetInt(),
                      text(document["configuration"]),
                      text(document["state"]),
                      count(document, "begun"),
                      {}};
  for (const rapidjson::Value& one : document["ended"].GetArray()) {
    std::optional<EndedReload> ended = parse_ended(one);
    if (!ended) return {};
    status.ended.push_back(std::move(*ended));
  }
  return status;
}

}  // namespace

Result<ReloadStatus> ask_reload_status(const std::string& address) {
  constexpr std::string_view kPath = "/reloads";
  const Result<std::string> page = get_page(address, kPath);
  if (!page) return tl::unexpected(page.error());
  std::optional<ReloadStatus> status = parse(*page);
  if (status) return std::move(*status);
  return not_the_page(address, kPath);
}

}  // namespace ringmaster::cli
