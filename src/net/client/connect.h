// connect_to(): connects a stream socket to an address as people write it. Blocking, for commands;
// the server's event loop makes its own connections.
#pragma once

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "base/status.h"

namespace ringmaster {

// The deadline of a whole exchange, applied to each blocking call on its socket.
class Deadline {
 public:
  explicit Deadline(uint64_t timeout_ms);

  // Lets the next call on `fd` block for the time that remains; false: no time remains.
  bool apply(int fd) const;
  // The error when the deadline has passed.
  tl::unexpected<Error> passed(const std::string& address) const;

 private:
  uint64_t timeout_ms_;
  uint64_t end_ns_;
};

// `address` is "HOST:PORT", "[V6]:PORT" or "unix:PATH". Tries each address that a name has. Fails
// (71), naming the address, when no server accepts or the deadline passes.
[[nodiscard]] Result<Fd> connect_to(const std::string& address, const Deadline& deadline);

}  // namespace ringmaster
