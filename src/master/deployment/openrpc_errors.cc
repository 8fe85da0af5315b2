#include "master/deployment/openrpc_errors.h"

#include <algorithm>
#include <string>

#include "rpc/errors.h"

namespace ringmaster::master {
namespace {

using rapidjson::Value;

// Which part of a method can cause an error.
enum class Source { kAnyStep, kFetchStep, kRunStep, kToken };

struct KnownError {
  const char* name;
  int32_t code;
  const char* message;
  Source source;
};

constexpr KnownError kErrors[] = {
    {"invalid_params", rpc::kInvalidParams,
     "The params are wrong, or a step needs one that is missing", Source::kAnyStep},
    {"overloaded", rpc::kOverloaded, "A limit was reached, or the deadline could not be met",
     Source::kAnyStep},
    {"deadline_exceeded", rpc::kDeadlineExceeded, "The deadline passed", Source::kAnyStep},
    {"shutting_down", rpc::kShuttingDown, "The server is stopping", Source::kAnyStep},
    {"unauthorized", rpc::kUnauthorized, "No valid token was sent", Source::kToken},
    {"cancelled", rpc::kCancelled, "The client cancelled the request", Source::kAnyStep},
    {"upstream_failed", rpc::kUpstreamFailed, "An upstream failed, or took too long",
     Source::kFetchStep},
    {"handler_failed", rpc::kHandlerFailed, "The handler failed", Source::kRunStep},
    {"internal_error", rpc::kInternalError, "The handler gave no valid answer", Source::kRunStep},
    {"response_too_large", rpc::kResponseTooLarge, "The result is larger than its limit",
     Source::kRunStep},
    {"worker_died", rpc::kWorkerDied, "The worker that ran the request died", Source::kRunStep},
};

}  // namespace

Value errors_of(const Method& method, bool asks_for_token, JsonAllocator& allocator) {
  const bool runs = std::ranges::any_of(method.steps, is_run);
  const bool fetches = !std::ranges::all_of(method.steps, is_run);
  Value errors(rapidjson::kArrayType);
  for (const KnownError& error : kErrors) {
    if ((error.source == Source::kRunStep && !runs) ||
        (error.source == Source::kFetchStep && !fetches) ||
        (error.source == Source::kToken && !asks_for_token)) {
      continue;
    }
    Value reference(rapidjson::kObjectType);
    reference.AddMember("$ref", Value(std::string("#/components/errors/") + error.name, allocator),
                        allocator);
    errors.PushBack(reference, allocator);
  }
  return errors;
}

Value all_errors(JsonAllocator& allocator) {
  Value errors(rapidjson::kObjectType);
  for (const KnownError& known : kErrors) {
    Value error(rapidjson::kObjectType);
    error.AddMember("code", known.code, allocator);
    error.AddMember("message", rapidjson::StringRef(known.message), allocator);
    errors.AddMember(rapidjson::StringRef(known.name), error, allocator);
  }
  return errors;
}

}  // namespace ringmaster::master
