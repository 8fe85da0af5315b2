#include "net/tls_context.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string_view>

#include "base/assert.h"
#include "net/tls_records.h"

namespace ringmaster::net {
namespace {

constexpr unsigned char kSessionIds[] = "ringmaster";
constexpr unsigned char kHttp[] = "\x08http/1.1";

// What a failure says of a file, by whoever has named it.
struct Naming {
  ExitCode exit_code;
  std::string_view certificate;
  std::string_view key;
  std::string_view ca;

  tl::unexpected<Error> fail(std::string_view what, const std::string& file,
                             const std::string& why = take_tls_reason()) const {
    return ringmaster::fail(exit_code, fmt::format("{} {}: {}", what, file, why));
  }
};
constexpr Naming kConfigured{ExitCode::kConfig, "TLS: certificate", "TLS: key", "TLS: client CA"};
constexpr Naming kOptions{ExitCode::kUsage, "--cert", "--key", "--ca"};

Status use_certificate(SSL_CTX* context, const std::string& certificate, const std::string& key,
                       const Naming& naming) {
  bool is_locked = false;  // nothing is read by this context after these files
  ::SSL_CTX_set_default_passwd_cb_userdata(context, &is_locked);
  ::SSL_CTX_set_default_passwd_cb(context, [](char*, int, int, void* asked) {
    *static_cast<bool*>(asked) = true;
    return -1;
  });
  if (::SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1) {
    return naming.fail(naming.certificate, certificate);
  }
  // Says, too, when it is the key of another certificate.
  const int used = ::SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM);
  if (is_locked) return naming.fail(naming.key, key, "expected a key without a passphrase");
  if (used != 1) return naming.fail(naming.key, key);
  return {};
}

int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* size,
                    const unsigned char* offered, unsigned offered_size, void*) {
  unsigned char* found = nullptr;
  if (::SSL_select_next_proto(&found, size, kHttp, sizeof kHttp - 1, offered, offered_size) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_NOACK;
  }
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

void set_server_rules(SSL_CTX* context) {
  // An idle connection has no buffers.
  ::SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  // Sessions are resumed by tickets, which cost us no memory.
  ::SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  ::SSL_CTX_set_session_id_context(context, kSessionIds, sizeof kSessionIds - 1);
  // Of a client's certificates, which come encrypted; the other messages are seen to by TlsRecords.
  ::SSL_CTX_set_max_cert_list(context, TlsRecords::kMessageBytesMax);
  ::SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
}

}  // namespace

std::string take_tls_reason() {
  const unsigned long error = ::ERR_peek_error();  // what it began with
  const char* text = ERR_SYSTEM_ERROR(error) ? std::strerror(ERR_GET_REASON(error))
                                             : ::ERR_reason_error_string(error);
  ::ERR_clear_error();
  return text == nullptr ? "not in a form that is known" : text;
}

void FreeTls::operator()(ssl_ctx_st* context) const {
  ::SSL_CTX_free(context);
}
void FreeTls::operator()(ssl_st* ssl) const {
  ::SSL_free(ssl);
}

TlsContext::TlsContext(ssl_ctx_st* made) : context_(made) {
  RM_ASSERT(made != nullptr);
  ::ERR_clear_error();
  ::SSL_CTX_set_min_proto_version(made, TLS1_2_VERSION);
  ::SSL_CTX_set_options(made, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
}

Ssl TlsContext::make_ssl() const {
  Ssl ssl(::SSL_new(context_.get()));
  RM_ASSERT(ssl != nullptr);
  return ssl;
}

Result<std::shared_ptr<const TlsContext>> TlsContext::create(const TlsFiles& files) {
  std::shared_ptr<const TlsContext> made(new TlsContext(::SSL_CTX_new(::TLS_server_method())));
  SSL_CTX* const context = made->context_.get();
  set_server_rules(context);
  const Status used = use_certificate(context, files.certificate, files.key, kConfigured);
  if (!used) return tl::unexpected(used.error());
  if (files.client_ca.empty()) return made;
  auto* const names = ::SSL_load_client_CA_file(files.client_ca.c_str());
  if (names == nullptr ||
      ::SSL_CTX_load_verify_locations(context, files.client_ca.c_str(), nullptr) != 1) {
    ::sk_X509_NAME_pop_free(names, ::X509_NAME_free);
    return kConfigured.fail(kConfigured.ca, files.client_ca);
  }
  ::SSL_CTX_set_client_CA_list(context, names);
  ::SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return made;
}

Result<std::shared_ptr<const TlsContext>> TlsContext::create_client(const ClientTlsFiles& files) {
  std::shared_ptr<const TlsContext> made(new TlsContext(::SSL_CTX_new(::TLS_client_method())));
  SSL_CTX* const context = made->context_.get();
  ::SSL_CTX_set_read_ahead(context, 1);  // a record in one call, not two
  if (files.ca.empty()) {
    ::SSL_CTX_set_default_verify_paths(context);
  } else if (::SSL_CTX_load_verify_file(context, files.ca.c_str()) != 1) {
    return kOptions.fail(kOptions.ca, files.ca);
  }
  if (files.certificate.empty()) return made;
  const Status used = use_certificate(context, files.certificate, files.key, kOptions);
  if (!used) return tl::unexpected(used.error());
  return made;
}

}  // namespace ringmaster::net
