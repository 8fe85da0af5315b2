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

tl::unexpected<Error> fail_file(std::string_view what, const std::string& file) {
  return fail(ExitCode::kConfig, fmt::format("TLS: {} {}: {}", what, file, take_tls_reason()));
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

void set_rules(SSL_CTX* context) {
  ::SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  ::SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // An idle connection has no buffers.
  ::SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  // Sessions are resumed by tickets, which cost us no memory.
  ::SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  ::SSL_CTX_set_session_id_context(context, kSessionIds, sizeof kSessionIds - 1);
  // Of a client's certificates, which come encrypted; the other messages are seen to by TlsRecords.
  ::SSL_CTX_set_max_cert_list(context, TlsRecords::kMessageBytesMax);
  ::SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
  // A key with a passphrase: nobody is there to type it in.
  ::SSL_CTX_set_default_passwd_cb(context, [](char*, int, int, void*) { return 0; });
}

}  // namespace

std::string take_tls_reason() {
  const unsigned long error = ::ERR_peek_error();  // what it began with
  const char* text = ERR_SYSTEM_ERROR(error) ? std::strerror(ERR_GET_REASON(error))
                                             : ::ERR_reason_error_string(error);
  ::ERR_clear_error();
  return text == nullptr ? "not in a form that is known" : text;
}

void TlsContext::Free::operator()(ssl_ctx_st* context) const {
  ::SSL_CTX_free(context);
}

Result<std::shared_ptr<const TlsContext>> TlsContext::create(const TlsFiles& files) {
  ::ERR_clear_error();
  auto made = std::make_shared<TlsContext>();
  made->context_.reset(::SSL_CTX_new(::TLS_server_method()));
  SSL_CTX* const context = made->get();
  RM_ASSERT(context != nullptr);
  set_rules(context);
  if (::SSL_CTX_use_certificate_chain_file(context, files.certificate.c_str()) != 1) {
    return fail_file("certificate", files.certificate);
  }
  // Says, too, when it is the key of another certificate.
  if (::SSL_CTX_use_PrivateKey_file(context, files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return fail_file("key", files.key);
  }
  if (files.client_ca.empty()) return made;
  auto* const names = ::SSL_load_client_CA_file(files.client_ca.c_str());
  if (names == nullptr ||
      ::SSL_CTX_load_verify_locations(context, files.client_ca.c_str(), nullptr) != 1) {
    ::sk_X509_NAME_pop_free(names, ::X509_NAME_free);
    return fail_file("client CA", files.client_ca);
  }
  ::SSL_CTX_set_client_CA_list(context, names);
  ::SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return made;
}

}  // namespace ringmaster::net
