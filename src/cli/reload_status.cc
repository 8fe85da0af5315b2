#include "cli/reload_status.h"

#include <fmt/format.h>
#include <optional>
#include <rapidjson/document.h>
#include <string_view>

#include "cli/status_port.h"

namespace ringmaster::cli {
namespace {

std::string shown(const rapidjson::Value& value) {
  return without_controls({value.GetString(), value.GetStringLength()});
}

bool has(const rapidjson::Value& object, const char* name, bool (rapidjson::Value::*is)() const) {
  const auto member = object.FindMember(name);
  return member != object.MemberEnd() && (member->value.*is)();
}

std::optional<EndedReload> parse_ended(const rapidjson::Value& one) {
  using rapidjson::Value;
  if (!one.IsObject() || !has(one, "reload", &Value::IsUint64) ||
      !has(one, "generation", &Value::IsUint64) || !has(one, "ok", &Value::IsBool)) {
    return std::nullopt;
  }
  EndedReload ended{one["reload"].GetUint64(), one["generation"].GetUint64(), ""};
  if (one["ok"].GetBool()) return ended;
  if (!has(one, "reason", &Value::IsString)) return std::nullopt;
  ended.failure = shown(one["reason"]);
  return ended;
}

std::optional<ReloadStatus> parse(std::string_view page) {
  using rapidjson::Value;
  rapidjson::Document document;
  document.Parse(page.data(), page.size());
  if (document.HasParseError() || !document.IsObject() || !has(document, "pid", &Value::IsInt) ||
      !has(document, "configuration", &Value::IsString) ||
      !has(document, "state", &Value::IsString) || !has(document, "begun", &Value::IsUint64) ||
      !has(document, "ended", &Value::IsArray)) {
    return {};
  }
  ReloadStatus status{document["pid"].GetInt(),
                      shown(document["configuration"]),
                      shown(document["state"]),
                      document["begun"].GetUint64(),
                      {}};
  for (const Value& one : document["ended"].GetArray()) {
    std::optional<EndedReload> ended = parse_ended(one);
    if (!ended) return {};
    status.ended.push_back(std::move(*ended));
  }
  return status;
}

}  // namespace

Result<ReloadStatus> ask_reload_status(const std::string& address) {
  const Result<std::string> page = get_page(address, "/reloads");
  if (!page) return tl::unexpected(page.error());
  std::optional<ReloadStatus> status = parse(*page);
  if (status) return std::move(*status);
  return fail(
      ExitCode::kResource,
      fmt::format("{}: expected the status port of a ringmaster with the page /reloads", address));
}

}  // namespace ringmaster::cli
