// ask(): one line to a server, one line back. Blocking, with a deadline.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "net/options.h"

namespace ringmaster::cli {

struct Server {
  std::string address;  // a net::Address
  net::ClientTlsFiles tls;
  std::string token;  // sent first; empty: none
};

// Sends `request` and returns the first line of the answer, without its end. Fails (71), naming the
// address, when no server accepts, when the connection ends before an answer, and after timeout_ms;
// with 64 for an invalid file of `tls`.
Result<std::string> ask(const Server& server, const std::string& request, uint64_t timeout_ms);

}  // namespace ringmaster::cli
