// connect_to(): a connected stream socket, by an address as people write it. Blocking, for programs
// that have nothing else to do; the server's own connections are made by its event loop.
#pragma once

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "base/status.h"

namespace ringmaster {

// The end of a whole exchange, applied to each blocking call on its socket.
class Deadline {
 public:
  explicit Deadline(uint64_t timeout_ms);

  // Lets the next call on `fd` block for what remains; false when nothing does.
  bool apply(int fd) const;
  // The failure of an exchange that it has cut short.
  tl::unexpected<Error> passed(const std::string& address) const;

 private:
  uint64_t timeout_ms_;
  uint64_t end_ns_;
};

// `address` is "HOST:PORT", "[V6]:PORT" or "unix:PATH". Tries each address that a name has. Fails
// (71), naming the address, when nobody is there and when the deadline passes.
[[nodiscard]] Result<Fd> connect_to(const std::string& address, const Deadline& deadline);

}  // namespace ringmaster
