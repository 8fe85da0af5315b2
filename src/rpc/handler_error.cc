#include "rpc/handler_error.h"

#include <algorithm>

namespace ringmaster::rpc {

Error handler_error(int32_t code, std::string_view bytes, uint64_t response_bytes) {
  Error error;
  error.code = code;
  const size_t message_size = std::min(bytes.find('\0'), bytes.size());
  error.message = bytes.substr(0, message_size);
  if (message_size < bytes.size()) error.details = bytes.substr(message_size + 1);
  switch (code) {
    case kResponseTooLarge:
      error.reason = "response_bytes";
      error.limit = response_bytes;
      break;
    case kInternalError:
      error.reason = "invalid_result";
      break;
    case kInvalidParams:
      error.reason = "invalid_params";
      break;
    case kUpstreamFailed:
      error.reason = "invalid_body";
      break;
    default:
      error.reason = "handler_failed";
  }
  return error;
}

}  // namespace ringmaster::rpc
