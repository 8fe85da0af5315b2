// The errors that a client can get, with the fields for programs. The codes are part of the
// protocol: a new one is a change that users see.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace ringmaster::rpc {

enum Code : int32_t {
  kParseError = -32700,
  kInvalidRequest = -32600,
  kMethodNotFound = -32601,
  kInvalidParams = -32602,
  kInternalError = -32603,
  kHandlerFailed = -32000,
  kUnauthorized = -32001,
  kRequestTooLarge = -32007,
  kResponseTooLarge = -32008,
  kOverloaded = -32009,
  kBatchTooLarge = -32010,
  kDeadlineExceeded = -32012,
  kShuttingDown = -32013,
  kWorkerDied = -32014,
  kUpstreamFailed = -32015,
  kCancelled = -32800,
};

// Whether a handler was called for a failed request. kUnknown: a retry may be a second execution.
enum class Executed { kNo, kUnknown };

struct Error {
  int32_t code = kInternalError;
  std::string message;  // what was expected and what was found
  std::string reason;   // one snake_case word that programs compare: "queue_full"
  bool retryable = false;
  Executed executed = Executed::kNo;
  std::optional<uint64_t> retry_after_ms;
  std::optional<uint64_t> limit;  // the limit that was reached, in the unit of its key
  std::string details;            // of the handler, JSON; empty: none
};

// An error that is not retryable, unless the caller changes that.
inline Error make_error(int32_t code, std::string reason, std::string message) {
  Error error;
  error.code = code;
  error.reason = std::move(reason);
  error.message = std::move(message);
  return error;
}

}  // namespace ringmaster::rpc
