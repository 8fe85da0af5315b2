#include "net/tls_stream.h"

#include <algorithm>
#include <cstring>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "base/assert.h"
#include "net/tls_bio.h"

namespace ringmaster::net {
namespace {

// A fatal decode_error, unencrypted.
constexpr std::string_view kTooLongAlert{"\x15\x03\x03\x00\x02\x02\x32", 7};

// A key update costs 20 us, more than a record of data; clients need one only after gigabytes.
constexpr uint64_t kKeyUpdatesMin = 16;
constexpr uint64_t kKeyUpdateBytes = 64 << 10;

// The plaintext of one receive(): of its argument, and of a record whose first part came earlier.
char plaintext[TlsStream::kReceivedMax + SSL3_RT_MAX_PACKET_SIZE];

}  // namespace

struct TlsStream::Transport {
  static TlsStream& stream(BIO* bio) { return *static_cast<TlsStream*>(::BIO_get_data(bio)); }

  static int read(BIO* bio, char* to, int size) {
    ::BIO_clear_retry_flags(bio);
    if (stream(bio).has_updated_too_often()) return -1;
    std::string_view& input = stream(bio).input_;
    const size_t taken = std::min(input.size(), static_cast<size_t>(size));
    if (taken == 0) {
      BIO_set_retry_read(bio);
      return -1;
    }
    std::memcpy(to, input.data(), taken);
    input.remove_prefix(taken);
    return static_cast<int>(taken);
  }
  // OpenSSL calls this for every TLS message, in and out.
  static void note(int is_ours, int, int type, const void* message, size_t, SSL*, void* stream) {
    const bool is_key_update =
        type == SSL3_RT_HANDSHAKE && *static_cast<const uint8_t*>(message) == SSL3_MT_KEY_UPDATE;
    if (is_ours == 0 && is_key_update) ++static_cast<TlsStream*>(stream)->key_updates_;
  }
  static int write(BIO* bio, const char* from, int size) {
    stream(bio).due_.append(from, static_cast<size_t>(size));
    return size;
  }
  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }
};

TlsStream::TlsStream(const TlsContext& context) : ssl_(context.make_ssl()) {
  BIO* const transport = make_bio<Transport>(this);
  ::SSL_set_bio(ssl_.get(), transport, transport);
  ::SSL_set_msg_callback(ssl_.get(), Transport::note);
  ::SSL_set_msg_callback_arg(ssl_.get(), this);
  ::SSL_set_accept_state(ssl_.get());
}

std::string_view TlsStream::receive(std::string_view ciphertext) {
  RM_ASSERT(ciphertext.size() <= kReceivedMax);
  if (state_ == State::kEnded || state_ == State::kFailed) return {};
  // In TLS 1.2 only the hello is checked here: later messages may be encrypted, and OpenSSL limits
  // the certificates.
  const bool is_plain = state_ == State::kHandshake && ::SSL_version(ssl_.get()) != TLS1_2_VERSION;
  if (!records_.note(ciphertext, is_plain)) {
    state_ = State::kFailed;
    failure_ = "a message of the handshake is too long";
    due_ += kTooLongAlert;
    return {};
  }
  input_ = ciphertext;
  size_t size = 0;
  for (;;) {
    ::ERR_clear_error();
    size_t got = 0;
    const int result = ::SSL_read_ex(ssl_.get(), plaintext + size, sizeof plaintext - size, &got);
    if (state_ == State::kHandshake && ::SSL_is_init_finished(ssl_.get())) {
      state_ = State::kOpen;
      has_shaken_hands_ = true;
    }
    size += got;
    plaintext_bytes_ += got;
    if (result == 1) continue;
    const int error = ::SSL_get_error(ssl_.get(), result);
    if (error == SSL_ERROR_ZERO_RETURN) state_ = State::kEnded;
    if (error != SSL_ERROR_ZERO_RETURN && error != SSL_ERROR_WANT_READ) fail(error);
    break;
  }
  input_ = {};
  return {plaintext, size};
}

bool TlsStream::has_updated_too_often() const {
  return key_updates_ > kKeyUpdatesMin + plaintext_bytes_ / kKeyUpdateBytes;
}

std::string TlsStream::client_subject() const {
  const X509* const certificate = ::SSL_get0_peer_certificate(ssl_.get());
  if (certificate == nullptr) return "";
  char text[200] = "";
  ::X509_NAME_oneline(::X509_get_subject_name(certificate), text, sizeof text);
  return text;
}

bool TlsStream::is_waiting() const {
  return records_.is_in_record() || ::SSL_is_init_finished(ssl_.get()) == 0;
}

bool TlsStream::may_seal() const {
  return !has_ended_ && (state_ == State::kOpen || state_ == State::kEnded) &&
         ::SSL_is_init_finished(ssl_.get()) == 1;
}

bool TlsStream::seal(std::string_view bytes) {
  RM_ASSERT(may_seal());
  ::ERR_clear_error();
  size_t written = 0;
  const int result = ::SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &written);
  if (result != 1) fail(::SSL_get_error(ssl_.get(), result));
  return result == 1;
}

void TlsStream::end() {
  if (!may_seal()) return;
  has_ended_ = true;
  ::ERR_clear_error();
  ::SSL_shutdown(ssl_.get());
  ::ERR_clear_error();
}

void TlsStream::fail(int error) {
  state_ = State::kFailed;
  const long verified = ::SSL_get_verify_result(ssl_.get());
  const char* reason = verified != X509_V_OK ? ::X509_verify_cert_error_string(verified)
                                             : ::ERR_reason_error_string(::ERR_peek_error());
  if (has_updated_too_often()) reason = "too many key updates";
  failure_ = reason != nullptr ? reason : "TLS error " + std::to_string(error);
  ::ERR_clear_error();
}

}  // namespace ringmaster::net
