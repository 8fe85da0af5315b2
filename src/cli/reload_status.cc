#include "cli/reload_status.h"

#include <algorithm>
#include <fmt/format.h>
#include <optional>
#include <rapidjson/document.h>
#include <string_view>

#include "net/client/channel.h"

namespace ringmaster::cli {
namespace {

constexpr uint64_t kAnswerMs = 10'000;
constexpr size_t kAnswerBytesMax = 64 << 10;
constexpr std::string_view kRequest =
    "GET /reloads HTTP/1.1\r\nHost: ringmaster\r\nConnection: close\r\n\r\n";

Result<std::string> get(const std::string& address) {
  const net::ClientTlsFiles no_tls;
  const auto channel = net::open_channel(address, no_tls, Deadline(kAnswerMs));
  if (!channel) return tl::unexpected(channel.error());
  const Status sent = (*channel)->send(kRequest);
  if (!sent) return tl::unexpected(sent.error());
  std::string received(kAnswerBytesMax, '\0');
  size_t size = 0;
  while (size < received.size()) {
    const Result<size_t> got =
        (*channel)->receive({received.data() + size, received.size() - size});
    if (!got) return tl::unexpected(got.error());
    if (*got == 0) break;
    size += *got;
  }
  received.resize(size);
  return received;
}

// Makes a server's text safe for a terminal.
std::string text_of(const rapidjson::Value& value) {
  std::string text(value.GetString(), value.GetStringLength());
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }, ' ');
  return text;
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
  ended.failure = text_of(one["reason"]);
  return ended;
}

std::optional<ReloadStatus> parse(std::string_view answer) {
  using rapidjson::Value;
  const size_t head_end = answer.find("\r\n\r\n");
  if (!answer.starts_with("HTTP/1.1 200 ") || head_end == std::string_view::npos) return {};
  rapidjson::Document document;
  document.Parse(answer.data() + head_end, answer.size() - head_end);
  if (document.HasParseError() || !document.IsObject() || !has(document, "pid", &Value::IsInt) ||
      !has(document, "configuration", &Value::IsString) ||
      !has(document, "state", &Value::IsString) || !has(document, "begun", &Value::IsUint64) ||
      !has(document, "ended", &Value::IsArray)) {
    return {};
  }
  ReloadStatus status{document["pid"].GetInt(),
                      text_of(document["configuration"]),
                      text_of(document["state"]),
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
  const Result<std::string> answer = get(address);
  if (!answer) return tl::unexpected(answer.error());
  std::optional<ReloadStatus> status = parse(*answer);
  if (status) return std::move(*status);
  return fail(ExitCode::kResource,
              fmt::format("{}: expected the status port of a ringmaster that tells of its reloads",
                          address));
}

}  // namespace ringmaster::cli
