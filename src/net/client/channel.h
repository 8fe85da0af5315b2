// Channel: a byte stream to one server, with or without TLS. Blocking, with a deadline. For
// commands: the errors name the commands' options.
//
// Errors: 71, naming the address; also when the deadline of the whole exchange passes.
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

  // Sends all bytes. Succeeds also when the server has stopped reading: receive() may say why.
  [[nodiscard]] virtual Status send(std::string_view bytes) = 0;
  // Receives at least one byte. 0: the server has ended the stream.
  [[nodiscard]] virtual Result<size_t> receive(std::span<char> room) = 0;
};

// `address`: a net::Address. `files` are for TLS only, and must outlive the channel. Fails with 64
// for an invalid file.
[[nodiscard]] Result<std::unique_ptr<Channel>> open_channel(const std::string& address,
                                                            const ClientTlsFiles& files,
                                                            const Deadline& deadline);

}  // namespace ringmaster::net
