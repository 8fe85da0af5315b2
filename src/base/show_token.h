// show_token(): what a client of a server with tokens says first, unless it speaks HTTP. Blocking.
#pragma once

#include <string>

#include "base/connect.h"
#include "base/status.h"

namespace ringmaster {

// Asks rpc.auth on a connection that nothing was asked on yet, and takes its answer, not a byte
// more. Fails (71), naming the address, when the answer is not true, and when the deadline passes.
[[nodiscard]] Status show_token(int fd, const std::string& address, const std::string& token,
                                const Deadline& deadline);

}  // namespace ringmaster
