// ask(): one line to a server, one line back. Blocking, with a deadline.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace ringmaster::cli {

// Sends `request` and returns the first line of the answer, without its end. `address` is
// "HOST:PORT" or "unix:PATH". Fails (71), naming the address, when nobody is there, when the
// connection ends before an answer, and after timeout_ms. `token` is shown before; empty: none.
Result<std::string> ask(const std::string& address, const std::string& token,
                        const std::string& request, uint64_t timeout_ms);

}  // namespace ringmaster::cli
