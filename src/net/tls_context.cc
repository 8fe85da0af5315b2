#include "net/tls_context.h"

#include <algorithm>
#include <cstring>
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

// kCiphers: TLS 1.2's suites with forward secrecy; all suites of TLS 1.3 have it. The certificate's
// key decides between ECDSA and RSA.
constexpr char kGroups[] = "X25519:P-256:P-384";
constexpr char kCiphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

// How errors name a file: by option of a command, or by key of the configuration.
struct Naming {
  ExitCode exit_code;
  std::string_view certificate;
  std::string_view key;
  std::string_view ca;
  std::string_view crl;

  tl::unexpected<Error> fail(std::string_view what, const std::string& file,
                             const std::string& why = take_tls_reason()) const {
    return ringmaster::fail(exit_code, fmt::format("{} {}: {}", what, file, why));
  }
};
constexpr Naming kConfigured{ExitCode::kConfig, "TLS: certificate", "TLS: key", "TLS: client CA",
                             "TLS: client CRL"};
constexpr Naming kOptions{ExitCode::kUsage, "--cert", "--key", "--ca", ""};

Status use_certificate(SSL_CTX* context, const std::string& certificate, const std::string& key,
                       const Naming& naming) {
  bool is_locked = false;  // a local is safe: the context reads no key later
  ::SSL_CTX_set_default_passwd_cb_userdata(context, &is_locked);
  ::SSL_CTX_set_default_passwd_cb(context, [](char*, int, int, void* asked) {
    *static_cast<bool*>(asked) = true;
    return -1;
  });
  if (::SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1) {
    return naming.fail(naming.certificate, certificate);
  }
  // Also fails for the key of another certificate.
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
  RM_ASSERT(SSL_CTX_set1_groups_list(context, kGroups) == 1);
  RM_ASSERT(::SSL_CTX_set_cipher_list(context, kCiphers) == 1);
  ::SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
  // An idle connection has no buffers.
  ::SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  // Sessions are resumed by tickets, which cost the server no memory.
  ::SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  ::SSL_CTX_set_session_id_context(context, kSessionIds, sizeof kSessionIds - 1);
  // Limits a client's certificates, which TLS 1.3 encrypts; TlsRecords limits the other messages.
  ::SSL_CTX_set_max_cert_list(context, TlsRecords::kMessageBytesMax);
  ::SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
}

std::string text_of(const ASN1_TIME* time) {
  char text[64] = "";
  const std::unique_ptr<BIO, decltype(&::BIO_free)> out(::BIO_new(::BIO_s_mem()), ::BIO_free);
  ::ASN1_TIME_print(out.get(), time);
  const int size = ::BIO_read(out.get(), text, sizeof text - 1);
  return {text, static_cast<size_t>(std::max(size, 0))};
}

// OpenSSL refuses every client of a CA whose CRL has expired. So an expired CRL fails the start or
// the reload, which leaves the former CRL in force.
Status check_expiry(X509_STORE* store, const std::string& file) {
  const STACK_OF(X509_OBJECT)* const objects = ::X509_STORE_get0_objects(store);
  for (int i = 0; i < sk_X509_OBJECT_num(objects); ++i) {
    const X509_CRL* const crl = ::X509_OBJECT_get0_X509_CRL(sk_X509_OBJECT_value(objects, i));
    if (crl == nullptr) continue;
    const ASN1_TIME* const end = ::X509_CRL_get0_nextUpdate(crl);
    if (end == nullptr || ::X509_cmp_current_time(end) > 0) continue;
    return kConfigured.fail(kConfigured.crl, file,
                            "expected a valid CRL, found one that expired " + text_of(end));
  }
  return {};
}

Status use_client_crl(SSL_CTX* context, const std::string& file) {
  X509_STORE* const store = ::SSL_CTX_get_cert_store(context);
  X509_LOOKUP* const lookup = ::X509_STORE_add_lookup(store, ::X509_LOOKUP_file());
  RM_ASSERT(lookup != nullptr);
  if (::X509_load_crl_file(lookup, file.c_str(), X509_FILETYPE_PEM) == 0) {
    return kConfigured.fail(kConfigured.crl, file);
  }
  RM_ASSERT(::X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL) == 1);
  return check_expiry(store, file);
}

Status ask_for_client_certificate(SSL_CTX* context, const TlsFiles& files) {
  auto* const names = ::SSL_load_client_CA_file(files.client_ca.c_str());
  if (names == nullptr ||
      ::SSL_CTX_load_verify_locations(context, files.client_ca.c_str(), nullptr) != 1) {
    ::sk_X509_NAME_pop_free(names, ::X509_NAME_free);
    return kConfigured.fail(kConfigured.ca, files.client_ca);
  }
  ::SSL_CTX_set_client_CA_list(context, names);
  ::SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  // With client certificates no session is resumed: there are no tickets and no session cache.
  ::SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  RM_ASSERT(::SSL_CTX_set_num_tickets(context, 0) == 1);
  return files.client_crl.empty() ? Status{} : use_client_crl(context, files.client_crl);
}

}  // namespace

std::string take_tls_reason() {
  const unsigned long error = ::ERR_peek_error();  // the first error, the cause
  const char* text = ERR_SYSTEM_ERROR(error) ? std::strerror(ERR_GET_REASON(error))
                                             : ::ERR_reason_error_string(error);
  ::ERR_clear_error();
  return text == nullptr ? "unknown format" : text;
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
  const Status asked = ask_for_client_certificate(context, files);
  if (!asked) return tl::unexpected(asked.error());
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
