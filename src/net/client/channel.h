// Channel: the bytes between us and one server, by TLS or without. Blocking, with a deadline: for
// commands, whose options its messages speak of.
//
// Errors: 71, naming the address: also when the deadline passes, which is that of the whole
//         exchange.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "net/client/connect.h"
#include "net/options.h"

namespace ringmaster::net {

class Channel {
 public:
  virtual ~Channel() = default;

  // Sends all of it. A server that has stopped reading is no failure: it may have said why, and
  // that is yet to be received.
  [[nodiscard]] virtual Status send(std::string_view bytes) = 0;
  // Some bytes, as soon as there are any; 0: the server has ended, and says so.
  [[nodiscard]] virtual Result<size_t> receive(std::span<char> room) = 0;
};

// `address`: as of net::Address. `files` matter to TLS only; they must outlive the channel. Fails
// with 64 for a file that is not what it should be.
[[nodiscard]] Result<std::unique_ptr<Channel>> open_channel(const std::string& address,
                                                            const ClientTlsFiles& files,
                                                            const Deadline& deadline);

}  // namespace ringmaster::net
