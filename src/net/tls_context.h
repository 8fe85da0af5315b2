// TlsContext: what all TLS connections of a configuration share: certificate, key, rules.
//
// TLS 1.2 or later, no renegotiation, no compression. Where there is a client CA, a client must
// have a certificate of it. A client that offers "http/1.1" (ALPN) gets it; any other protocol is
// left undecided, as it is without TLS.
// Memory: a stream keeps the context that it began with; a reload makes another one.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "net/options.h"

struct ssl_ctx_st;

namespace ringmaster::net {

// Why OpenSSL has failed; forgets it.
std::string take_tls_reason();

class TlsContext {
 public:
  // Fails (78) naming the file, and why OpenSSL does not take it.
  [[nodiscard]] static Result<std::shared_ptr<const TlsContext>> create(const TlsFiles& files);

  ssl_ctx_st* get() const { return context_.get(); }

 private:
  struct Free {
    void operator()(ssl_ctx_st* context) const;
  };

  std::unique_ptr<ssl_ctx_st, Free> context_;
};

}  // namespace ringmaster::net
