// TlsContext: certificates, key and rules, shared by all TLS connections of a configuration or of a
// command.
//
// Both ends: TLS 1.2 or later, no renegotiation, no compression. A key with a passphrase is
// refused, since nobody is there to type the passphrase.
// Server: the key exchange is elliptic (X25519, P-256, P-384), the cipher AES-GCM or ChaCha20, and
// the server's order of preference counts. OpenSSL's defaults also allow ffdhe8192, with which one
// hello costs 130 ms, and suites without forward secrecy. Where clients need a certificate, no
// session is resumed: a ticket would let in a client whose certificate has expired since.
// Memory: a connection keeps the context that it began with; a reload makes another one.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "net/options.h"

struct ssl_ctx_st;
struct ssl_st;

namespace ringmaster::net {

struct FreeTls {
  void operator()(ssl_ctx_st* context) const;
  void operator()(ssl_st* ssl) const;
};
using Ssl = std::unique_ptr<ssl_st, FreeTls>;

// Why OpenSSL has failed; clears its errors.
std::string take_tls_reason();

class TlsContext {
 public:
  // The server's. With a client CA, a client must have a certificate of that CA. With a client CRL,
  // the file must have a current CRL of every CA in a client's chain, or the client is refused. If
  // a client offers "http/1.1" by ALPN, the server selects it. Otherwise the server selects none.
  // The first bytes decide the framing, as without TLS. A failure (78) names the file and the
  // reason: for example, OpenSSL cannot read it, or a CRL has expired.
  [[nodiscard]] static Result<std::shared_ptr<const TlsContext>> create(const TlsFiles& files);
  // A client's. A failure (64) names the option, the file and the reason.
  [[nodiscard]] static Result<std::shared_ptr<const TlsContext>> create_client(
      const ClientTlsFiles& files);

  // The state of one connection.
  Ssl make_ssl() const;

 private:
  explicit TlsContext(ssl_ctx_st* made);

  std::unique_ptr<ssl_ctx_st, FreeTls> context_;
};

}  // namespace ringmaster::net
