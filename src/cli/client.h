// ask(): one line to a server, one line back. Blocking, with a deadline.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "net/options.h"

namespace ringmaster::cli {

struct Server {
  std::string address;  // as of net::Address
  net::ClientTlsFiles tls;
  std::string token;  // is shown before; empty: none
};

// Sends `request` and returns the first line of the answer, without its end. Fails (71), naming the
// address, when nobody is there, when the connection ends before an answer, and after timeout_ms;
// 64: a file of `tls` is not what it should be.
Result<std::string> ask(const Server& server, const std::string& request, uint64_t timeout_ms);

}  // namespace ringmaster::cli
