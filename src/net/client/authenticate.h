// What a client of a server with tokens says first, unless it speaks HTTP: a line, and one comes
// back.
#pragma once

#include <string>

#include "base/status.h"
#include "net/client/connect.h"

namespace ringmaster {

std::string token_request(const std::string& token);
// Fails (71), naming the address, when the answer is not true.
[[nodiscard]] Status check_token_answer(const std::string& address, const std::string& answer);

// Both, on a connection that nothing was asked on yet. Blocks, and takes the answer, not a byte
// more. Fails (71), too, when the deadline passes.
[[nodiscard]] Status show_token(int fd, const std::string& address, const std::string& token,
                                const Deadline& deadline);

}  // namespace ringmaster
