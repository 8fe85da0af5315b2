// How a client shows its token without HTTP: its first message is one line, and the server answers
// with one line.
#pragma once

#include <string>

#include "base/status.h"
#include "net/client/connect.h"

namespace ringmaster {

std::string token_request(const std::string& token);
// Fails (71), naming the address, unless the answer's result is true.
[[nodiscard]] Status check_token_answer(const std::string& address, const std::string& answer);

// Sends the request on a new connection and checks the answer. Blocks, and reads no byte beyond the
// answer. Fails (71), too, when the deadline passes.
[[nodiscard]] Status show_token(int fd, const std::string& address, const std::string& token,
                                const Deadline& deadline);

}  // namespace ringmaster
