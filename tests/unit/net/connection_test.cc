// Connection: when its timeouts pass, and when its turns end. The test passes the time to
// has_stalled() and has_idled(). It reads the real clock before and after each event: so a check
// at `before` + limit must find no timeout, and a check behind `after` + limit must find it.
#include "net/connection.h"

#include <doctest/doctest.h>
#include <linux/sockios.h>
#include <optional>
#include <sys/ioctl.h>
#include <sys/un.h>
#include <utility>

#include "loop_support.h"

namespace ringmaster::net {
namespace {

constexpr uint64_t kFirstBytesNs = 10 * kNsPerS;
constexpr uint64_t kHourNs = 3600 * kNsPerS;
constexpr uint64_t kBytesPerS = 64 << 10;  // of a message: these bytes bring it one more second

// A client of a connection in the same process. `before` and `after` are the times before and after
// the last event.
class Client : public Connection::Events {
 public:
  explicit Client(ConnectionLimits limits = {}) : limits_(limits) {
    const std::string path = folder_.at("socket");
    auto listener = Listener::bind("unix:" + path);
    REQUIRE(listener);
    Stream stream;
    REQUIRE((*listener)->listen(loop_.get(), [&](Stream come) { stream = std::move(come); }));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    loop_.run_until([&] { return stream != nullptr; });
    timed([&] {
      connection_.emplace(std::move(stream), nullptr, *this, limits_, now_ns());
      connection_->start();
    });
  }

  Connection* operator->() { return &*connection_; }

  template <class Do>
  void timed(const Do& what) {
    before = now_ns();
    what();
    after = now_ns();
  }
  // Sends, and waits until the connection has read all bytes.
  void send(std::string_view bytes) {
    timed([&] {
      loop_.run_until([&] {
        const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
        if (sent > 0) bytes.remove_prefix(static_cast<size_t>(sent));
        int unread = 0;
        REQUIRE(::ioctl(socket_.get(), SIOCOUTQ, &unread) == 0);
        return bytes.empty() && unread == 0;
      });
    });
  }
  // Reads so many bytes, and lets the connection write more of the rest.
  void receive(size_t bytes) {
    loop_.run_until([&] {
      char piece[4096];
      const ssize_t got = ::recv(socket_.get(), piece, std::min(sizeof piece, bytes), MSG_DONTWAIT);
      if (got > 0) bytes -= static_cast<size_t>(got);
      return bytes == 0;
    });
    loop_.run_until([turns = 0]() mutable { return ++turns > 2; });
  }
  // Reads so many bytes.
  std::string read(size_t bytes) {
    std::string got;
    loop_.run_until([&] {
      std::string piece(bytes - got.size(), '\0');
      const ssize_t size = ::recv(socket_.get(), piece.data(), piece.size(), MSG_DONTWAIT);
      if (size > 0) got.append(piece, 0, static_cast<size_t>(size));
      return got.size() == bytes;
    });
    return got;
  }
  // Answers the client with more than the socket takes, so that some of it waits.
  void owe() {
    timed([&] {
      connection_->output().append(900'000, 'x');
      connection_->flush();
    });
  }

  // Waits for 20 ms, so that the test notices if a timeout begins anew.
  static void pass() {
    const uint64_t end = now_ns() + 20 * kNsPerMs;
    while (now_ns() < end)
      ::usleep(1000);
  }

  void set_send_buffer(int bytes) {
    REQUIRE(::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes) == 0);
  }
  // Sends without a turn of the loop.
  void fill(std::string_view bytes) {
    const auto size = static_cast<ssize_t>(bytes.size());
    REQUIRE(::send(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT) == size);
  }
  // Returns how many messages one turn of the loop hands out. The first message takes 20 ms if
  // `is_slow`, else no time. The order is the server's: paused connections (uv_idle), the end of
  // the turn before (uv_prepare), reads.
  size_t turn(bool is_slow = true) {
    const size_t begin = messages;
    is_next_slow_ = is_slow;
    has_turns_ = true;
    turns_.begin_part();
    CHECK(!turns_.is_over(now_ns()));
    if (std::exchange(is_paused_, false)) connection_->go_on();
    turns_.begin_part();
    connection_->flush();
    turns_.end_turn();
    uv_run(loop_.get(), UV_RUN_NOWAIT);
    return messages - begin;
  }
  // How many reads one turn of the loop begins.
  size_t count_reads() {
    const size_t begin = reads_;
    uv_run(loop_.get(), UV_RUN_NOWAIT);
    return reads_ - begin;
  }

  uint64_t before = 0;
  uint64_t after = 0;
  size_t messages = 0;

 private:
  bool on_head(const rpc::HttpReader&) override { return true; }
  bool on_message(std::string_view) override {
    ++messages;
    if (std::exchange(is_next_slow_, false)) pass();
    return true;
  }
  void on_unreadable(rpc::Framer::Event) override {}
  void on_ended() override {}
  void on_closed() override {}
  void on_paused() override {
    CHECK(!is_paused_);
    is_paused_ = true;
  }
  // The connection calls this before each read. Null: the test uses no turns.
  ReadingTurns* reading_turns() override {
    ++reads_;
    return has_turns_ ? &turns_ : nullptr;
  }

  test::TemporaryFolder folder_;
  test::Loop loop_;
  ConnectionLimits limits_;
  ReadingTurns turns_;
  bool has_turns_ = false;
  bool is_next_slow_ = false;
  bool is_paused_ = false;
  size_t reads_ = 0;
  Fd socket_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::optional<Connection> connection_;
};

std::string message_of(size_t bytes) {
  return '"' + std::string(bytes - 2, 'x') + '"';
}

}  // namespace

TEST_CASE("connection: when a turn is over, messages that were read wait for the next one") {
  constexpr size_t kCount = 24 << 10;
  Client client;
  std::string flood;
  for (size_t i = 0; i < kCount; ++i)
    flood += "[1]\n";
  client.fill(flood);
  CHECK(client.turn() < 50);  // the connection does not read the clock after each message
  CHECK(client.turn() < 50);
  for (size_t turns = 0; turns < kCount && client.messages < kCount; ++turns)
    client.turn(false);
  CHECK(client.messages == kCount);
}

TEST_CASE("connection: a read of a long message is short, too, so that a turn can end behind it") {
  Client client;
  client.send('[' + std::string(1 << 20, ' '));
  client.set_send_buffer(400 << 10);
  client.fill(std::string(300 << 10, ' '));
  CHECK(client.count_reads() == 2);
}

TEST_CASE("connection: the first bytes have 10 s from its start, and blanks do not extend them") {
  Client client;
  const uint64_t begun = client.after;
  CHECK(!client->has_stalled(client.before + kFirstBytesNs));
  Client::pass();
  client.send("\n \r\n");
  CHECK(client->has_stalled(begun + kFirstBytesNs + kNsPerMs));
  client.send(std::string(10 * kBytesPerS, ' '));
  CHECK(client->has_stalled(begun + kFirstBytesNs + kNsPerMs));
}

TEST_CASE("connection: a message has 10 s from its first bytes, and no more for further bytes") {
  Client client;
  client.send("[1,");
  const uint64_t begun = client.after;
  CHECK(!client->has_stalled(client.before + kFirstBytesNs));
  Client::pass();
  client.send("2,");
  CHECK(client->has_stalled(begun + kFirstBytesNs + kNsPerMs));
  client.send("3]");
  CHECK(client.messages == 1);
  CHECK(!client->has_stalled(client.after + kHourNs));  // no byte is due from the client
  client.send("[");
  CHECK(!client->has_stalled(client.before + kFirstBytesNs));
  CHECK(client->has_stalled(client.after + kFirstBytesNs + kNsPerMs));
}

TEST_CASE("connection: a long message has more time, for its own bytes only") {
  Client client;
  constexpr size_t kBytes = 10 * kBytesPerS;
  client.send('[' + message_of(kBytes));
  CHECK(!client->has_stalled(client.before + kFirstBytesNs + 10 * kNsPerS));
  CHECK(client->has_stalled(client.after + kFirstBytesNs + 10 * kNsPerS + kNsPerMs));
  client.send("]");
  client.send("[");
  CHECK(client->has_stalled(client.after + kFirstBytesNs + kNsPerMs));
  // The bytes of several messages do not add up, even if each message begins in the read in which
  // the message before it ends.
  client.send("1");
  for (size_t i = 0; i < 2 * kBytes / 4096; ++i)
    client.send("]\n[" + message_of(4096));
  CHECK(client->has_stalled(client.after + kFirstBytesNs + kNsPerS));
}

TEST_CASE("connection: no timeout of a message runs while the connection is not read") {
  Client client;
  client.send("[1,");
  client.timed([&] { client->hold_reading(true); });
  CHECK(!client->has_stalled(client.after + kHourNs));
  Client::pass();
  client.timed([&] { client->hold_reading(false); });
  CHECK(!client->has_stalled(client.before + kFirstBytesNs));
  CHECK(client->has_stalled(client.after + kFirstBytesNs + kNsPerMs));
}

TEST_CASE("connection: answers have send_timeout_ms until one byte of them is taken") {
  Client client({.send_timeout_ms = 1000});
  client.send("[]");
  client.owe();
  const uint64_t owed = client.after;
  CHECK(!client->has_stalled(client.before + kNsPerS));
  Client::pass();
  client.send("[1]\n[2]\n");
  CHECK(client.messages == 3);  // requests are read, but extend no timeout
  CHECK(client->has_stalled(owed + kNsPerS + 1));
  client.receive(200'000);
  const uint64_t taken = owed + kNsPerS + 1;
  CHECK(!client->has_stalled(taken));  // notices that the client has taken some bytes
  CHECK(!client->has_stalled(taken + kNsPerS));
  CHECK(client->has_stalled(taken + kNsPerS + 1));
}

TEST_CASE("connection: each byte of several answers is sent once, in order") {
  Client client;
  std::string sent, received;
  for (char letter = 'a'; letter <= 'z'; ++letter) {
    const std::string answer(50'000, letter);
    client->send(answer, "\n");
    sent += answer + "\n";
    received += client.read(20'000);  // room for some of what waits
  }
  client->flush();
  received += client.read(sent.size() - received.size());
  CHECK(received == sent);
}

TEST_CASE("connection: it is idle when the client sends nothing and waits for no answer") {
  Client client({.send_timeout_ms = 60'000, .idle_timeout_ms = 1000});
  CHECK(!client->has_idled(client.before + kNsPerS, false));
  CHECK(client->has_idled(client.after + kNsPerS + kNsPerMs, false));
  client.send("[1]\n");
  CHECK(!client->has_idled(client.before + kNsPerS, false));
  CHECK(client->has_idled(client.after + kNsPerS + kNsPerMs, false));
  const uint64_t answered = client.after + kHourNs;
  CHECK(!client->has_idled(answered, true));  // waits for an answer
  CHECK(!client->has_idled(answered + kNsPerS, false));
  CHECK(client->has_idled(answered + kNsPerS + 1, false));
  client.owe();
  CHECK(client->has_unsent());
  CHECK(!client->has_idled(answered + kHourNs, false));  // has not read it yet
}

TEST_CASE("connection: it is not idle while messages that were read wait for a turn") {
  Client client({.idle_timeout_ms = 1000});
  std::string flood;
  for (size_t i = 0; i < 100; ++i)
    flood += "[1]\n";
  client.fill(flood);
  client.turn();
  CHECK(client->is_paused());
  const uint64_t paused = now_ns() + kHourNs;
  CHECK(!client->has_idled(paused, false));
  while (client.messages < 100)
    client.turn(false);
  CHECK(!client->is_paused());
  CHECK(!client->has_idled(paused + kNsPerS, false));
  CHECK(client->has_idled(paused + kNsPerS + 1, false));
}

TEST_CASE("connection: without idle_timeout_ms it may be idle for ever") {
  Client client;
  client.send("[1]\n");
  CHECK(!client->has_idled(client.after + 1000 * kHourNs, false));
}

TEST_CASE("connection: a client that was sent everything has half a second to close") {
  Client client;
  client.send("[1]\n");
  client.timed([&] {
    client->finish();
    client->flush();
  });
  const uint64_t sent = client.after;
  CHECK(!client->has_stalled(client.before + kNsPerS / 2));
  client.send("[2]\n");
  CHECK(client.messages == 1);
  CHECK(client->has_stalled(sent + kNsPerS / 2 + kNsPerMs));
}

}  // namespace ringmaster::net
