#include <doctest/doctest.h>
#include <functional>
#include <utility>

#include "net/tls_context.h"
#include "net/tls_stream.h"
#include "support.h"
#include "tls_support.h"

namespace ringmaster::net {
namespace {

using test::Certificate;
using test::contains;
using test::TemporaryFolder;
using test::TlsClient;
using State = TlsStream::State;

std::shared_ptr<const TlsContext> context_of(const TlsFiles& files) {
  auto context = TlsContext::create(files);
  REQUIRE_MESSAGE(context, context.error().message);
  return *context;
}

std::string why_not(const TlsFiles& files) {
  const auto context = TlsContext::create(files);
  REQUIRE(!context);
  CHECK(context.error().exit_code == ExitCode::kConfig);
  return context.error().message;
}

// The server's and the client's end of a connection.
struct Pair {
  explicit Pair(const TlsFiles& files, int version = TLS1_3_VERSION)
      : Pair(context_of(files), TlsClient::make_context(version)) {}
  Pair(std::shared_ptr<const TlsContext> shared, TlsClient::Context wire)
      : client(std::move(wire)), context(std::move(shared)), server(*context) {}

  // Delivers bytes both ways until neither end has more to send; the server gets them in pieces of
  // this size. Returns the plaintext that the server has read.
  std::string exchange(size_t piece_bytes = TlsStream::kReceivedMax) {
    std::string read;
    for (;;) {
      const std::string to_server = client.sent();
      const std::string to_client = std::exchange(server.due(), {});
      if (to_server.empty() && to_client.empty()) return read;
      client.receive(to_client);
      for (size_t at = 0; at < to_server.size(); at += piece_bytes)
        read += server.receive(std::string_view(to_server).substr(at, piece_bytes));
      from_server += client.read();
    }
  }
  void open(size_t piece_bytes = TlsStream::kReceivedMax) {
    client.shake_hands();
    exchange(piece_bytes);
    REQUIRE(server.state() == State::kOpen);
  }

  TlsClient client;
  std::shared_ptr<const TlsContext> context;
  TlsStream server;
  std::string from_server;
};

}  // namespace

TEST_CASE("tls: a bad file is an error that names the file and the fault") {
  const TemporaryFolder folder;
  const Certificate one(folder, "one");
  const Certificate other(folder, "other");
  const std::string junk = folder.write("junk.pem", "junk\n");
  const std::string cut =
      folder.write("cut.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
  const std::string none = folder.at("none.pem");
  CHECK(why_not({none, one.key_file, ""}) ==
        "TLS: certificate " + none + ": No such file or directory");
  CHECK(contains(why_not({junk, one.key_file, ""}), "certificate " + junk + ": no start line"));
  CHECK(contains(why_not({cut, one.key_file, ""}), "certificate " + cut));
  CHECK(contains(why_not({one.file, none, ""}), "key " + none + ": No such file"));
  CHECK(contains(why_not({one.file, junk, ""}), "key " + junk));
  CHECK(contains(why_not({one.file, other.key_file, ""}),
                 "key " + other.key_file + ": key values mismatch"));
  const std::string locked = folder.at("locked.key");
  one.write_locked_key(locked);
  CHECK(why_not({one.file, locked, ""}) ==
        "TLS: key " + locked + ": expected a key without a passphrase");
  CHECK(contains(why_not({one.file, one.key_file, none}), "client CA " + none));
  CHECK(contains(why_not({one.file, one.key_file, junk}), "client CA " + junk));
  CHECK(TlsContext::create({one.file, one.key_file, other.file}));
  CHECK(contains(why_not({one.file, one.key_file, other.file, none}), "client CRL " + none));
  CHECK(contains(why_not({one.file, one.key_file, other.file, other.file}),
                 "client CRL " + other.file + ": no start line"));
}

TEST_CASE("tls: bytes come through both ways, in whatever pieces, in either version") {
  const TemporaryFolder folder;
  const Certificate own(folder, "own");
  const std::string long_text(200'000, 'x');
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const size_t piece_bytes : {size_t{1}, size_t{7}, size_t{5000}, TlsStream::kReceivedMax}) {
      CAPTURE(version);
      CAPTURE(piece_bytes);
      Pair pair({own.file, own.key_file, ""}, version);
      CHECK(!pair.server.may_seal());
      pair.open(piece_bytes);
      CHECK(pair.server.due().empty());
      CHECK(pair.client.write("hello") == 5);
      CHECK(pair.client.write(long_text) == 200'000);
      CHECK(pair.exchange(piece_bytes) == "hello" + long_text);
      CHECK(!pair.server.is_waiting());
      CHECK(pair.server.seal("answer"));
      CHECK(pair.server.seal(long_text));
      pair.exchange(piece_bytes);
      CHECK(pair.from_server == "answer" + long_text);
    }
  }
}

TEST_CASE("tls: a record that has begun is noticed, from its first byte to its last") {
  const TemporaryFolder folder;
  const Certificate own(folder, "own");
  Pair pair({own.file, own.key_file, ""});
  pair.open();
  REQUIRE(pair.client.write("hello") == 5);
  const std::string record = pair.client.sent();
  for (size_t i = 0; i + 1 < record.size(); ++i) {
    CHECK(pair.server.receive({&record[i], 1}).empty());
    CHECK(pair.server.is_waiting());
  }
  CHECK(pair.server.receive({&record.back(), 1}) == "hello");
  CHECK(!pair.server.is_waiting());
}

TEST_CASE("tls: each side may end its sending, and still receive") {
  const TemporaryFolder folder;
  const Certificate own(folder, "own");
  Pair pair({own.file, own.key_file, ""});
  pair.open();
  pair.client.write("last");
  SSL_shutdown(pair.client.ssl());
  CHECK(pair.exchange() == "last");
  CHECK(pair.server.state() == State::kEnded);
  CHECK(pair.server.may_seal());
  CHECK(pair.server.seal("answer"));
  pair.server.end();
  CHECK(!pair.server.may_seal());
  pair.exchange();
  CHECK(pair.from_server == "answer");
  CHECK(pair.client.was_ended());
}

TEST_CASE("tls: a handshake stays completed if the stream ends or fails with its last bytes") {
  const TemporaryFolder folder;
  const Certificate own(folder, "own");
  const std::string bad_record = std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'x');
  const auto end = [](Pair& pair) {
    SSL_shutdown(pair.client.ssl());
    return pair.client.sent();
  };
  const auto fail = [&](Pair&) { return bad_record; };
  const std::pair<std::function<std::string(Pair&)>, State> ends[] = {
      {[](Pair&) { return ""; }, State::kOpen}, {end, State::kEnded}, {fail, State::kFailed}};
  for (const auto& [last, expected] : ends) {
    const State state = expected;
    CAPTURE(static_cast<int>(state));
    Pair pair({own.file, own.key_file, ""});
    pair.client.shake_hands();
    pair.server.receive(pair.client.sent());
    CHECK(!pair.server.has_shaken_hands());
    pair.client.receive(std::exchange(pair.server.due(), {}));
    REQUIRE(pair.client.shake_hands() == 1);
    REQUIRE(pair.client.write("hello") == 5);
    const std::string sent = pair.client.sent();
    CHECK(pair.server.receive(sent + last(pair)) == "hello");
    CHECK(pair.server.state() == state);
    CHECK(pair.server.has_shaken_hands());
  }
  Pair pair({own.file, own.key_file, ""});
  pair.server.receive(bad_record);
  CHECK(pair.server.state() == State::kFailed);
  CHECK(!pair.server.has_shaken_hands());
}

TEST_CASE("tls: bytes that are no TLS fail with an alert, and nothing more is read") {
  const TemporaryFolder folder;
  const Certificate own(folder, "own");
  for (const char* text : {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}\n",
                           "POST / HTTP/1.1\r\nHost: x\r\n\r\n", "12:garbage, and more of it"}) {
    TlsStream server(*context_of({own.file, own.key_file, ""}));
    CHECK(server.receive(text).empty());
    CHECK(server.state() == State::kFailed);
    CHECK(!server.failure().empty());
    CHECK(!server.may_seal());
    server.due().clear();
    CHECK(server.receive(text).empty());
    server.end();
    CHECK(server.due().empty());
  }
}

TEST_CASE("tls: a message of the handshake that is too long is refused when its length is known") {
  const TemporaryFolder folder;
  const Certificate own(folder, "own");
  const std::string_view header("\x01\x00\x40\x01", 4);  // a hello of 16 KiB and a byte
  std::string whole("\x16\x03\x01\x00\x04", 5);
  whole += header;
  std::string scattered;
  for (const char byte : header) {
    scattered += std::string_view("\x16\x03\x01\x00\x01", 5);
    scattered += byte;
  }
  for (const std::string& sent : {whole, scattered}) {
    TlsStream server(*context_of({own.file, own.key_file, ""}));
    for (const char& byte : sent) {
      CHECK(server.state() == State::kHandshake);
      CHECK(server.receive({&byte, 1}).empty());
    }
    CHECK(server.state() == State::kFailed);
    CHECK(contains(server.failure(), "too long"));
    CHECK(server.due().size() == 7);
    CHECK(server.receive(sent).empty());
    CHECK(server.due().size() == 7);  // one alert
  }
  // The same for a second hello: the server asks for one if the client has guessed a wrong group.
  TlsRecords records;
  CHECK(records.note({"\x16\x03\x01\x00\x05\x01\x00\x00\x01x", 10}, true));
  CHECK(records.note({"\x14\x03\x03\x00\x01\x01", 6}, true));
  CHECK(!records.note(whole, true));

  const Certificate friends(folder, "friend");
  Certificate many = friends;
  std::string chain;
  for (int i = 0; i < 100; ++i)
    chain += friends.text();
  many.file = folder.write("many.pem", chain);
  Pair pair({own.file, own.key_file, friends.file});
  pair.client.use(many);
  pair.client.shake_hands();
  pair.exchange();
  CHECK(pair.server.failure() == "excessive message size");
}

TEST_CASE("tls: a client may update its key now and then, not all the time") {
  const TemporaryFolder folder;
  const Certificate own(folder, "own");
  Pair pair({own.file, own.key_file, ""});
  pair.open();
  const auto update = [&] {
    SSL_key_update(pair.client.ssl(), SSL_KEY_UPDATE_REQUESTED);
    pair.client.shake_hands();
    pair.client.write("x");
    return pair.exchange();
  };
  for (int i = 0; i < 16; ++i)
    CHECK(update() == "x");
  pair.client.write(std::string(64 << 10, 'x'));
  pair.exchange();
  CHECK(update() == "x");
  CHECK(pair.server.state() == State::kOpen);
  update();
  CHECK(pair.server.state() == State::kFailed);
  CHECK(pair.server.failure() == "too many key updates");
  CHECK(!pair.server.may_seal());
}

TEST_CASE("tls: a session is resumed, but not where clients need a certificate") {
  const TemporaryFolder folder;
  const Certificate own(folder, "own");
  const Certificate friends(folder, "friend");
  for (const bool needs_certificate : {false, true}) {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      CAPTURE(needs_certificate);
      CAPTURE(version);
      const auto context =
          context_of({own.file, own.key_file, needs_certificate ? friends.file : ""});
      const auto wire = TlsClient::make_context(version);
      TlsClient::use(wire, friends);
      Pair first(context, wire);
      first.open();
      Pair second(context, wire);
      const std::unique_ptr<SSL_SESSION, test::Call<SSL_SESSION_free>> session(
          SSL_get1_session(first.client.ssl()));
      SSL_set_session(second.client.ssl(), session.get());
      second.open();
      CHECK(SSL_session_reused(second.client.ssl()) == (needs_certificate ? 0 : 1));
    }
  }
}

}  // namespace ringmaster::net
