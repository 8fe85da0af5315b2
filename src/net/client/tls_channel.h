// TlsChannel: TLS, client side, over another channel.
//
// The server's certificate must be of a trusted CA, be valid now, and name the host of the address:
// its DNS name or its IP address.
// Errors: 71, with the reason: the server's certificate, a server without TLS, a client certificate
//         that is missing or refused, an end without close_notify (bytes may be missing).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "net/client/channel.h"
#include "net/tls_context.h"

namespace ringmaster::net {

class TlsChannel final : public Channel {
 public:
  // `address`: "tls://HOST:PORT". `files` must outlive the channel.
  TlsChannel(std::unique_ptr<Channel> below, const TlsContext& context, std::string address,
             const ClientTlsFiles& files);
  ~TlsChannel() override;

  // Call first.
  [[nodiscard]] Status shake_hands();
  Status send(std::string_view bytes) override;
  Result<size_t> receive(std::span<char> room) override;

 private:
  // OpenSSL's callbacks.
  struct Callbacks;

  void expect_host();
  tl::unexpected<Error> fail_with_reason();
  std::string hint() const;

  const std::unique_ptr<Channel> below_;
  const std::string address_;
  const std::string host_;
  const ClientTlsFiles& files_;
  const Ssl ssl_;
  std::optional<Error> below_failure_;
  std::string certificate_fault_;   // of the server's certificate
  std::optional<char> first_byte_;  // sent by the server
  bool is_at_eof_ = false;
  bool wants_certificate_ = false;  // the server has asked for one
  bool is_open_ = false;            // the handshake is complete, and nothing has failed since
  bool has_answered_ = false;
};

}  // namespace ringmaster::net
