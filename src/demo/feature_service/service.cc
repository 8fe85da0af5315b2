#include "demo/feature_service/service.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <limits>
#include <rapidjson/document.h>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

namespace ringmaster::feature_service {
namespace {

constexpr std::string_view kPath = "/features";
constexpr size_t kGarbageBytes = 256;
constexpr uint64_t kEndless = std::numeric_limits<uint64_t>::max();

// The user_id of a request's body, or the fault.
tl::expected<int64_t, std::string> user_id_of(std::string_view body) {
  const auto expected = [](std::string_view found) {
    return tl::unexpected(fmt::format("expected {{\"user_id\": INTEGER}}, found {}", found));
  };
  // Iterative: a deeply nested body must not exhaust the stack.
  constexpr unsigned kFlags =
      rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag;
  rapidjson::Document document;
  document.Parse<kFlags>(body.data(), body.size());
  if (document.HasParseError()) {
    return expected(fmt::format("no JSON at byte {}", document.GetErrorOffset()));
  }
  if (!document.IsObject()) return expected("no object");
  const auto member = document.FindMember("user_id");
  if (member == document.MemberEnd()) return expected("no user_id");
  if (member->value.IsInt64()) return member->value.GetInt64();
  if (member->value.IsUint64()) return std::numeric_limits<int64_t>::max();  // no user has it
  return expected("a user_id that is no 64-bit integer");
}

}  // namespace

Answer Service::answer(const rpc::HttpReader& request) {
  ++request_count_;
  if (request.target().substr(0, request.target().find('?')) != kPath) {
    return error_answer(404, fmt::format("expected the path {}", kPath));
  }
  if (request.method() != "POST") return error_answer(405, "expected the method POST");
  const auto user_id = user_id_of(request.body());
  if (!user_id) return error_answer(400, user_id.error());
  std::optional<Fault> forced;
  if (const auto name = request.field("X-Fault"); !name.empty()) {
    forced = fault_named(name);
    if (!forced) {
      return error_answer(
          400, fmt::format("expected X-Fault: one of {}", fmt::join(fault_names(), ", ")));
    }
  }
  Fate fate = fates_.draw();
  fate.fault = forced.value_or(fate.fault);
  return features_of(*user_id, fate);
}

Answer Service::features_of(int64_t user_id, Fate fate) {
  Answer answer;
  const auto id = static_cast<uint64_t>(user_id);  // a negative id becomes larger than any user's
  if (fate.fault == Fault::kFail) {
    answer = error_answer(500, "a fault that was asked for");
  } else if (fate.fault == Fault::kGarbage) {
    answer.text = garbage();
  } else if (auto events = users_.events_of(
                 id, fate.fault == Fault::kHuge ? std::optional(kEndless) : event_count_)) {
    answer.events.emplace(id, *events);
  } else {
    answer = error_answer(
        404, fmt::format("unknown user {}: there are users 1 to {}", user_id, users_.count()));
  }
  answer.fate = fate;
  return answer;
}

// Begins like JSON, but is invalid: JSON has no NUL between tokens.
std::string Service::garbage() {
  std::string bytes("{\0", 2);
  while (bytes.size() < kGarbageBytes) {
    bytes += static_cast<char>(fates_.random().below(256));
  }
  return bytes;
}

}  // namespace ringmaster::feature_service
