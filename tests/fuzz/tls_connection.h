// TlsConnection: a client of OpenSSL and our server. A script says what each of them does, and how
// the client's bytes are cut, and damaged, on their way.
#pragma once

#include <algorithm>
#include <fuzzer/FuzzedDataProvider.h>
#include <openssl/err.h>
#include <optional>

#include "tls_checked.h"
#include "tls_support.h"

namespace ringmaster::fuzz {

class TlsConnection {
 public:
  TlsConnection(const net::TlsContext& server, const test::TlsClient::Context& client,
                FuzzedDataProvider& script)
      : script_(script), client_(client), server_(server) {}

  SSL* ssl() { return client_.ssl(); }
  net::TlsStream& server() { return server_.stream; }
  // The server must refuse the client, after the text that the client has written until now.
  void expect_failure() {
    if (!failing_at_) failing_at_ = written_;
  }

  // Runs to the script's end. `is_damaged`: the script may damage the client's bytes on their way.
  void run(bool is_damaged) {
    go_on_with_client();
    if (script_.ConsumeBool()) exchange();  // else most acts would come too early
    for (int i = 0; i < kActsMax && script_.ConsumeIntegralInRange(0, 15) > 0; ++i)
      act(is_damaged);
    if (script_.ConsumeBool()) return;  // the connection breaks off
    exchange();
    check_end();
  }

 private:
  using State = net::TlsStream::State;
  static constexpr int kActsMax = 40;  // more acts make the fuzzer slow and find nothing else

  size_t some_size() {
    return script_.ConsumeIntegralInRange<size_t>(
        1, script_.PickValueInArray({size_t{8}, size_t{2000}, net::TlsStream::kReceivedMax}));
  }

  void act(bool is_damaged) {
    static constexpr void (TlsConnection::*kActs[])() = {
        &TlsConnection::write,
        &TlsConnection::update_keys,
        &TlsConnection::shut_down,
        &TlsConnection::seal,
        &TlsConnection::end,
        &TlsConnection::deliver_to_server,
        &TlsConnection::deliver_to_client,
        &TlsConnection::damage,  // the last one: see is_damaged
    };
    const size_t last = std::size(kActs) - (is_damaged ? 1 : 2);
    (this->*kActs[script_.ConsumeIntegralInRange<size_t>(0, last)])();
  }
  void seal() { server_.seal(some_size()); }
  void end() { server().end(); }
  void deliver_to_server() { deliver_to_server(some_size()); }
  void deliver_to_client() { deliver_to_client(some_size()); }

  // --- the client ---

  bool may_write() { return ::SSL_is_init_finished(ssl()) == 1 && !has_ended(); }
  bool has_ended() { return ::SSL_get_shutdown(ssl()) & SSL_SENT_SHUTDOWN; }

  void write() {
    const std::string_view text = tls_text(written_, some_size());
    if (!may_write() || text.empty()) return;
    RM_ASSERT(client_.write(text) == static_cast<int>(text.size()));
    written_ += text.size();
  }
  void shut_down() {
    if (may_write()) ::SSL_shutdown(ssl());
  }
  void update_keys() {
    const int type =
        script_.ConsumeBool() ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED;
    for (int i = script_.ConsumeIntegralInRange(1, 20); i > 0; --i) {
      if (!may_write() || ::SSL_version(ssl()) != TLS1_3_VERSION) return;
      RM_ASSERT(::SSL_key_update(ssl(), type) == 1 && client_.shake_hands() == 1);
      if (++key_updates_ > 16 + written_ / (64 << 10)) expect_failure();
    }
  }
  void go_on_with_client() {
    ::ERR_clear_error();
    if (::SSL_is_init_finished(ssl()) == 0) client_.shake_hands();
    const std::string text = client_.read();
    RM_ASSERT(text == tls_text(read_, text.size()) && read_ + text.size() <= server_.sealed);
    read_ += text.size();
  }

  // --- the way between them ---

  std::string& to_server() { return to_server_ += client_.sent(); }

  void deliver_to_server(size_t size) {
    server_.receive(std::string_view(to_server()).substr(0, size), written_, key_updates_);
    to_server_.erase(0, size);
    RM_ASSERT(!server_.has_failed() || failing_at_ || is_damaged_);
  }
  void deliver_to_client(size_t size) {
    client_.receive(std::string_view(server().due()).substr(0, size));
    server().due().erase(0, size);
    go_on_with_client();
  }
  // Delivers all bytes that are on their way, in few pieces: each piece costs OpenSSL much time.
  void exchange() {
    const size_t least = some_size();
    while (!to_server().empty() || !server().due().empty()) {
      const size_t piece_bytes = std::max(least, to_server_.size() / 8 + 1);
      while (!to_server_.empty())
        deliver_to_server(piece_bytes);
      deliver_to_client(server().due().size());
    }
  }

  // Changes a byte of the next record, or loses or doubles the record.
  void damage() {
    std::string& bytes = to_server();
    if (bytes.size() < 5) return;
    const auto byte = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
    const std::string record = bytes.substr(0, 5 + (byte(3) << 8 | byte(4)));
    is_damaged_ = true;
    const auto at = script_.ConsumeIntegralInRange<size_t>(0, record.size() + 1);
    if (at < record.size()) {
      bytes[at] = static_cast<char>(byte(at) ^ script_.ConsumeIntegralInRange(1, 255));
    } else if (at == record.size()) {
      bytes.insert(0, record);
    } else {
      bytes.erase(0, record.size());
      is_lost_ = true;
    }
  }

  // The server cannot notice that the last record was lost: the record may still come.
  void check_end() {
    const bool has_all = server_.received == written_;
    RM_ASSERT(has_all || server_.has_failed() || server().is_waiting() || is_lost_);
    if (is_damaged_) return;
    RM_ASSERT(read_ == server_.sealed && server_.has_failed() == failing_at_.has_value());
    RM_ASSERT(server_.received == failing_at_.value_or(written_));
    if (failing_at_) return;
    RM_ASSERT(!server().is_waiting());
    RM_ASSERT(server().state() == (has_ended() ? State::kEnded : State::kOpen));
    server().end();
    deliver_to_client(server().due().size());
    RM_ASSERT(client_.was_ended() && !server().may_seal());
  }

  FuzzedDataProvider& script_;
  test::TlsClient client_;
  CheckedServer server_;
  std::string to_server_;

  size_t written_ = 0;  // by the client
  size_t read_ = 0;
  size_t key_updates_ = 0;
  std::optional<size_t> failing_at_;  // after this many bytes of text
  bool is_damaged_ = false;
  bool is_lost_ = false;
};

}  // namespace ringmaster::fuzz
