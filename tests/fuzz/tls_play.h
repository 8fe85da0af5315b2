// TlsPlay: one connection between a client of OpenSSL's and our server. The script says what each
// of them does, and how what the client says is cut, and damaged, on its way.
//
// Honest: a client whose bytes all arrive, and that goes on as it should. What must come of it is
// known beforehand, also where it goes beyond a limit.
#pragma once

#include <fuzzer/FuzzedDataProvider.h>
#include <openssl/err.h>

#include "tls_damage.h"
#include "tls_server.h"
#include "tls_world.h"

namespace ringmaster::fuzz {

class TlsPlay {
 public:
  using State = net::TlsStream::State;
  using Session = std::unique_ptr<SSL_SESSION, test::Call<SSL_SESSION_free>>;

  TlsPlay(const TlsWorld& world, const TlsWishes& wishes, FuzzedDataProvider& script,
          const Session& session)
      : wishes_(wishes),
        script_(script),
        client_(world.client(wishes)),
        server_(world.server(wishes)) {
    if (session != nullptr) RM_ASSERT(::SSL_set_session(ssl(), session.get()) == 1);
    // The longest name of a protocol, as often as it takes.
    std::string protocols;
    while (protocols.size() < wishes.hello_bytes)
      protocols += "\xff" + std::string(255, 'x');
    ::SSL_set_alpn_protos(ssl(), reinterpret_cast<const uint8_t*>(protocols.data()),
                          static_cast<unsigned>(protocols.size()));
    ::SSL_set_max_send_fragment(ssl(), static_cast<long>(wishes.fragment_bytes));
    if (wishes.hello_bytes >= net::TlsRecords::kMessageBytesMax) {
      expect_failure("a message of the handshake is too long");
    } else if (wishes.needs_chain && wishes.chain == TlsWishes::kNone) {
      expect_failure("peer did not return a certificate");
    } else if (wishes.needs_chain && wishes.chain == TlsWishes::kTooLong) {
      expect_failure("excessive message size");
    }
  }

  // Until the script says that it ends.
  void run() {
    go_on_with_client();
    if (script_.ConsumeBool()) exchange();  // else most of what follows would come too early
    for (int i = 0; i < kActsMax && script_.ConsumeIntegralInRange(0, 15) > 0; ++i)
      act();
    const bool is_broken_off = script_.ConsumeBool();
    if (is_broken_off) return;
    exchange();
    check_end();
  }

  Session session() { return Session(::SSL_get1_session(ssl())); }
  const net::TlsStream& server() { return server_.stream(); }
  int client_state() { return ::SSL_get_state(ssl()); }

 private:
  static constexpr int kActsMax = 40;  // more make it slow and find nothing else

  SSL* ssl() { return client_.ssl(); }
  std::string& due() { return server_.stream().due(); }
  size_t some_size() {
    return script_.ConsumeIntegralInRange<size_t>(
        1, script_.PickValueInArray({size_t{8}, size_t{2000}, net::TlsStream::kReceivedMax}));
  }

  void act() {
    switch (script_.ConsumeIntegralInRange(0, 8)) {
      case 0:
        return write();
      case 1:
        return server_.seal(some_size());
      case 2:
      case 3:
        return deliver_to_server(some_size());
      case 4:
        return deliver_to_client(some_size());
      case 5:
        return update_key();
      case 6:
        if (may_write()) ::SSL_shutdown(ssl());
        return hear_client();
      case 7:
        return server_.stream().end();
      default:
        renegotiate();
    }
  }

  // --- the client ---

  bool may_write() {
    return !has_client_failed_ && ::SSL_is_init_finished(ssl()) == 1 &&
           ::SSL_renegotiate_pending(ssl()) == 0 && !has_ended();
  }
  bool has_ended() { return (::SSL_get_shutdown(ssl()) & SSL_SENT_SHUTDOWN) != 0; }

  void write() {
    const std::string_view bytes = tls_text(written_, some_size());
    if (!may_write() || bytes.empty()) return;
    RM_ASSERT(client_.write(bytes) == static_cast<int>(bytes.size()));
    written_ += bytes.size();
    hear_client();
  }
  void update_key() {
    const int count = script_.ConsumeIntegralInRange(1, 20);
    const int type =
        script_.ConsumeBool() ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED;
    for (int i = 0; i < count && may_write() && !wishes_.is_old; ++i) {
      RM_ASSERT(::SSL_key_update(ssl(), type) == 1 && client_.shake_hands() == 1);
      if (++key_updates_ > 16 + written_ / (64 << 10)) expect_failure("too many key updates");
    }
    hear_client();
  }
  // Is refused; what becomes of the connection then is the client's to decide.
  void renegotiate() {
    if (!may_write() || !wishes_.is_old) return;
    is_honest_ = false;
    ::SSL_renegotiate(ssl());
    client_.shake_hands();
    go_on_with_client();
  }
  void go_on_with_client() {
    ::ERR_clear_error();
    if (::SSL_is_init_finished(ssl()) == 0) client_.shake_hands();
    const std::string came = client_.read();
    RM_ASSERT(came == tls_text(read_, came.size()) && read_ + came.size() <= server_.sealed());
    read_ += came.size();
    const int error = ::SSL_get_error(ssl(), -1);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_ZERO_RETURN) has_client_failed_ = true;
    if (has_client_failed_ && is_honest_) RM_ASSERT(server_.has_failed());
    hear_client();
  }
  void hear_client() {
    std::string said = client_.sent();
    if (wishes_.is_damaged && !said.empty() && script_.ConsumeBool()) {
      damage_ = std::max(damage_, damage(script_, said));
      is_honest_ = false;
    }
    to_server_ += said;
  }

  // --- the way between them ---

  void deliver_to_server(size_t size) {
    server_.receive(std::string_view(to_server_).substr(0, size), written_, key_updates_);
    to_server_.erase(0, size);
    if (server_.has_failed() && is_honest_) RM_ASSERT(server().failure() == expected_failure_);
  }
  void deliver_to_client(size_t size) {
    client_.receive(std::string_view(due()).substr(0, size));
    due().erase(0, size);
    go_on_with_client();
  }
  // Until nothing is on its way any more. In few pieces: each costs much of OpenSSL's time.
  void exchange() {
    const size_t least = some_size();
    while (!to_server_.empty() || !due().empty()) {
      const size_t piece_bytes = std::max(least, to_server_.size() / 8 + 1);
      while (!to_server_.empty())
        deliver_to_server(piece_bytes);
      deliver_to_client(due().size());
    }
  }

  // --- what must have come of it ---

  void expect_failure(std::string_view failure) {
    if (!expected_failure_.empty()) return;
    expected_failure_ = failure;
    written_before_failure_ = written_;
  }
  void check_end() {
    if (damage_ != TlsDamage::kLoss) RM_ASSERT(server_.is_over() || server_.received() == written_);
    if (!is_honest_) return;
    RM_ASSERT(read_ == server_.sealed() && server().failure() == expected_failure_);
    if (server_.has_failed()) {
      RM_ASSERT(server_.received() == written_before_failure_);
      return;
    }
    RM_ASSERT(server_.received() == written_ && !server_.is_over());
    RM_ASSERT(server().state() == (has_ended() ? State::kEnded : State::kOpen));
    server_.stream().end();
    deliver_to_client(due().size());
    RM_ASSERT(client_.was_ended() && !server().may_seal());
  }

  const TlsWishes wishes_;
  FuzzedDataProvider& script_;
  test::TlsClient client_;
  CheckedServer server_;
  std::string to_server_;

  size_t written_ = 0;  // by the client
  size_t read_ = 0;
  size_t key_updates_ = 0;
  bool is_honest_ = true;
  bool has_client_failed_ = false;
  TlsDamage damage_ = TlsDamage::kNone;
  std::string expected_failure_;
  size_t written_before_failure_ = 0;
};

}  // namespace ringmaster::fuzz
