// TlsChannel: a channel by TLS, client side, over another one.
//
// The server's certificate must lead to a CA that is trusted, be valid now, and
// be one of the host that the address names: of that DNS name, or of that IP address.
// Errors: 71, and why: the certificate, no TLS at the other end, a client certificate that is
//         missing or refused, an end without close_notify: what came before it may not be all.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "net/client/channel.h"
#include "net/tls_context.h"

namespace ringmaster::net {

class TlsChannel final : public Channel {
 public:
  // `address`: "tls://HOST:PORT". `files` must outlive it.
  TlsChannel(std::unique_ptr<Channel> below, const TlsContext& context, std::string address,
             const ClientTlsFiles& files);
  ~TlsChannel() override;

  // First of all.
  [[nodiscard]] Status shake_hands();
  Status send(std::string_view bytes) override;
  Result<size_t> receive(std::span<char> room) override;

 private:
  // What OpenSSL calls.
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
  std::string certificate_fault_;   // of the server's
  std::optional<char> first_byte_;  // of what it has sent
  bool is_at_eof_ = false;
  bool wants_certificate_ = false;  // the server, of us
  bool is_open_ = false;            // hands have been shaken, and nothing has failed since
  bool has_answered_ = false;
};

}  // namespace ringmaster::net
