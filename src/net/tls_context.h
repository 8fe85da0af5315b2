// TlsContext: what all TLS connections of a configuration, or of a command, share: certificates,
// key, rules.
//
// At either end: TLS 1.2 or later, no renegotiation, no compression; a key with a passphrase is
// refused, since nobody is there to type it in.
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

// Why OpenSSL has failed; forgets it.
std::string take_tls_reason();

class TlsContext {
 public:
  // The server's. Where there is a client CA, a client must have a certificate of it. A client that
  // offers "http/1.1" (ALPN) gets it; any other protocol is left undecided, as it is without TLS.
  // Fails (78) naming the file, and why OpenSSL does not take it.
  [[nodiscard]] static Result<std::shared_ptr<const TlsContext>> create(const TlsFiles& files);
  // A client's. Fails (64) naming the option and the file, and why.
  [[nodiscard]] static Result<std::shared_ptr<const TlsContext>> create_client(
      const ClientTlsFiles& files);

  // The state of one connection.
  Ssl make_ssl() const;

 private:
  explicit TlsContext(ssl_ctx_st* made);

  std::unique_ptr<ssl_ctx_st, FreeTls> context_;
};

}  // namespace ringmaster::net
