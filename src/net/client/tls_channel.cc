#include "net/client/tls_channel.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <utility>

#include "base/assert.h"
#include "net/client/certificate_error.h"
#include "net/options.h"
#include "net/tls_bio.h"

namespace ringmaster::net {
namespace {

// The first byte that a TLS server sends begins a handshake message or an alert.
constexpr char kHandshakeRecord = 22;
constexpr char kAlertRecord = 21;

std::string host_of(const std::string& address) {
  const std::string pair = without_tls(address);
  const std::string host = pair.substr(0, pair.rfind(':'));
  return host.starts_with('[') ? host.substr(1, host.size() - 2) : host;
}

}  // namespace

struct TlsChannel::Callbacks {
  static TlsChannel& of(BIO* bio) { return *static_cast<TlsChannel*>(::BIO_get_data(bio)); }
  static TlsChannel& of(const SSL* ssl) { return *static_cast<TlsChannel*>(SSL_get_app_data(ssl)); }

  static int read(BIO* bio, char* to, int size) {
    TlsChannel& self = of(bio);
    const Result<size_t> got = self.below_->receive({to, static_cast<size_t>(size)});
    if (!got) {
      self.below_failure_ = got.error();
      return -1;
    }
    self.is_at_eof_ = *got == 0;
    if (*got > 0 && !self.first_byte_) self.first_byte_ = *to;
    return static_cast<int>(*got);
  }
  static int write(BIO* bio, const char* from, int size) {
    TlsChannel& self = of(bio);
    const Status sent = self.below_->send({from, static_cast<size_t>(size)});
    if (sent) return size;
    self.below_failure_ = sent.error();
    return -1;
  }
  static long control(BIO* bio, int command, long, void*) {
    if (command == BIO_CTRL_EOF) return of(bio).is_at_eof_ ? 1 : 0;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  }
  static int on_verified(int is_good, X509_STORE_CTX* checked) {
    if (is_good == 1) return 1;
    TlsChannel& self = of(static_cast<SSL*>(
        ::X509_STORE_CTX_get_ex_data(checked, ::SSL_get_ex_data_X509_STORE_CTX_idx())));
    self.certificate_fault_ = describe_fault(checked, self.host_, self.files_.ca);
    return 0;
  }
  static int on_certificate_wanted(SSL* ssl, void*) {
    of(ssl).wants_certificate_ = true;
    return 1;
  }
};

TlsChannel::TlsChannel(std::unique_ptr<Channel> below, const TlsContext& context,
                       std::string address, const ClientTlsFiles& files)
    : below_(std::move(below)),
      address_(std::move(address)),
      host_(host_of(address_)),
      files_(files),
      ssl_(context.make_ssl()) {
  BIO* const transport = make_bio<Callbacks>(this);
  ::SSL_set_bio(ssl_.get(), transport, transport);
  SSL_set_app_data(ssl_.get(), this);
  ::SSL_set_verify(ssl_.get(), SSL_VERIFY_PEER, Callbacks::on_verified);
  ::SSL_set_cert_cb(ssl_.get(), Callbacks::on_certificate_wanted, nullptr);
  expect_host();
}

// Sends close_notify if TLS is open, without waiting for the server's.
TlsChannel::~TlsChannel() {
  if (is_open_) ::SSL_shutdown(ssl_.get());
  ::ERR_clear_error();
}

// A host name is also sent to the server (SNI), which may have several certificates; an IP address
// is not (RFC 6066, 3).
void TlsChannel::expect_host() {
  in6_addr parsed{};
  const bool is_ip = ::inet_pton(AF_INET, host_.c_str(), &parsed) == 1 ||
                     ::inet_pton(AF_INET6, host_.c_str(), &parsed) == 1;
  if (is_ip) {
    RM_ASSERT(::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(ssl_.get()), host_.c_str()) == 1);
    return;
  }
  ::SSL_set_hostflags(ssl_.get(),
                      X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  RM_ASSERT(::SSL_set1_host(ssl_.get(), host_.c_str()) == 1);
  SSL_set_tlsext_host_name(ssl_.get(), host_.c_str());
}

Status TlsChannel::shake_hands() {
  ::ERR_clear_error();
  if (::SSL_connect(ssl_.get()) != 1) return fail_with_reason();
  is_open_ = true;
  return {};
}

Status TlsChannel::send(std::string_view bytes) {
  ::ERR_clear_error();
  size_t sent = 0;
  if (::SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &sent) != 1) {
    return fail_with_reason();
  }
  return {};
}

Result<size_t> TlsChannel::receive(std::span<char> room) {
  ::ERR_clear_error();
  size_t got = 0;
  const int result = ::SSL_read_ex(ssl_.get(), room.data(), room.size(), &got);
  if (result != 1 && ::SSL_get_error(ssl_.get(), result) != SSL_ERROR_ZERO_RETURN) {
    return fail_with_reason();
  }
  has_answered_ = has_answered_ || got > 0;
  return got;
}

tl::unexpected<Error> TlsChannel::fail_with_reason() {
  const bool was_open = std::exchange(is_open_, false);
  const std::string reason = take_tls_reason();
  std::string text;
  if (below_failure_) {
    text = below_failure_->message;
  } else if (first_byte_ && *first_byte_ != kHandshakeRecord && *first_byte_ != kAlertRecord) {
    text =
        fmt::format("expected TLS from {}, found something else; try it without tls://", address_);
  } else if (!certificate_fault_.empty()) {
    text = fmt::format("the certificate of {}: {}", address_, certificate_fault_);
  } else if (is_at_eof_ && !was_open) {
    text = address_ + " closed the connection in the TLS handshake";
  } else if (is_at_eof_) {
    text = address_ + " cut the connection off: expected a whole answer, or TLS's close_notify";
  } else {
    text = fmt::format("TLS with {}: {}", address_, reason);
  }
  return fail(ExitCode::kResource, text + hint());
}

// A server that requires a client certificate may report its absence only after the handshake, or
// just close the connection.
std::string TlsChannel::hint() const {
  if (!wants_certificate_ || has_answered_) return "";
  return "; it has asked for a client certificate, and was shown " +
         (files_.certificate.empty() ? "none: see --cert and --key" : files_.certificate);
}

}  // namespace ringmaster::net
