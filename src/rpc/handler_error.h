// handler_error(): the error that a client gets for a job that a worker has failed.
#pragma once

#include <cstdint>
#include <string_view>

#include "rpc/errors.h"

namespace ringmaster::rpc {

// `code` and `bytes`: of the worker's result record: the message, and '\0' and its details.
// `response_bytes`: the longest result that a handler may give.
Error handler_error(int32_t code, std::string_view bytes, uint64_t response_bytes);

}  // namespace ringmaster::rpc
