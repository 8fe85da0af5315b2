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

struct Timeouts {
  uint64_t connect_ms = 0;   // for how long to retry connecting; 0: only one try
  uint64_t exchange_ms = 0;  // from the beginning of a try to the answer
};

// Sends `request` and returns the first line of the answer, without its end. Fails (71), naming the
// address, when no server is there, when the connection ends before an answer, and at a timeout.
// Fails with 64 when a file of `tls` cannot be used.
Result<std::string> ask(const Server& server, const std::string& request, const Timeouts& timeouts);

}  // namespace ringmaster::cli
