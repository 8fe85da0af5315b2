// handler_error(): the error that a client gets for a job that a worker has failed.
#pragma once

#include <cstdint>
#include <string_view>

#include "rpc/errors.h"

namespace ringmaster::rpc {

// `code` and `bytes` are those of the worker's result record. `bytes` is the message; '\0' and the
// details may follow. `response_bytes`: the longest result that a handler may give.
Error handler_error(int32_t code, std::string_view bytes, uint64_t response_bytes);

}  // namespace ringmaster::rpc
