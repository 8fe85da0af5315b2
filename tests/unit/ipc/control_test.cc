#include "ipc/control.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "ipc/region.h"
#include "support.h"

namespace ringmaster::ipc {
namespace {

using Received = ControlChannel::Received;
using namespace std::string_literals;

struct Ends {
  Ends() : Ends(ControlChannel::create_pair().value()) {}
  explicit Ends(std::pair<Fd, Fd> pair)
      : master(std::move(pair.first)), fork_server(std::move(pair.second)) {}

  // Sends a packet that our program would not send. Returns the result of receive().
  Result<Received> receive_raw(const std::string& packet) {
    REQUIRE(::send(master.fd(), packet.data(), packet.size(), 0) ==
            static_cast<ssize_t>(packet.size()));
    ControlMessage message;
    return fork_server.receive(message);
  }

  ControlChannel master;
  ControlChannel fork_server;
};

}  // namespace

TEST_CASE("control: every message arrives as it was sent, in order, both ways") {
  Ends ends;
  for (uint32_t type = 0; type <= static_cast<uint32_t>(ControlType::kStack); ++type) {
    const ControlMessage sent{static_cast<ControlType>(type), type + 1, -5, 256 + 9,
                              "text \0 and more"s};
    REQUIRE(ends.master.send(sent));
    REQUIRE(ends.fork_server.send({ControlType::kLoaded, type, 0, 0, {}}));
    ControlMessage received;
    REQUIRE(ends.fork_server.receive(received).value() == Received::kMessage);
    CHECK(received.type == sent.type);
    CHECK(received.worker == sent.worker);
    CHECK(received.pid == sent.pid);
    CHECK(received.status == sent.status);
    CHECK(received.text == sent.text);
    REQUIRE(ends.master.receive(received).value() == Received::kMessage);
    CHECK(received.worker == type);
    CHECK(received.text.empty());
  }
}

TEST_CASE("control: a descriptor goes along with a message, and with that one only") {
  Ends ends;
  const Fd memory = create_memory("ringmaster-test", 4096).value();
  const Fd output(::dup(STDERR_FILENO));
  const int fds[] = {memory.get(), output.get()};
  REQUIRE(ends.master.send({ControlType::kFork, 7, 0, 0, {}}, fds));
  REQUIRE(ends.master.send({ControlType::kFork, 8, 0, 0, {}}));
  ControlMessage received;
  REQUIRE(ends.fork_server.receive(received).value() == Received::kMessage);
  CHECK(received.worker == 7);
  REQUIRE(received.memory.is_open());
  struct stat sent {};
  struct stat come {};
  REQUIRE(::fstat(memory.get(), &sent) == 0);
  REQUIRE(::fstat(received.memory.get(), &come) == 0);
  CHECK(come.st_ino == sent.st_ino);
  CHECK(::fcntl(received.memory.get(), F_GETFD) == FD_CLOEXEC);
  REQUIRE(ends.fork_server.receive(received).value() == Received::kMessage);
  CHECK(!received.memory.is_open());
}

TEST_CASE("control: a packet that is no message is refused") {
  Ends ends;
  CHECK(!ends.receive_raw("abc"));
  CHECK(!ends.receive_raw(std::string(15, '\0')));
  CHECK(ends.receive_raw(std::string(16, '\0')));
  for (const uint32_t type : {static_cast<uint32_t>(kControlTypeMax) + 1, ~0u}) {
    std::string packet(16, '\0');
    std::memcpy(packet.data(), &type, sizeof type);
    const Result<Received> received = ends.receive_raw(packet);
    REQUIRE(!received);
    CHECK(received.error().exit_code == ExitCode::kInternal);
    CHECK(received.error().message.find(std::to_string(type)) != std::string::npos);
  }
  CHECK(!ends.receive_raw(std::string(70'000, '\0')));  // too long: refused, not cut
}

TEST_CASE("control: the end of the other process is reported as kEnd, without a signal") {
  Ends ends;
  REQUIRE(ends.master.send({ControlType::kLoad, 0, 0, 0, {}}));
  { const ControlChannel gone(std::move(ends.master)); }
  ControlMessage message;
  CHECK(ends.fork_server.receive(message).value() == Received::kMessage);  // sent before the end
  CHECK(ends.fork_server.receive(message).value() == Received::kEnd);
  CHECK(ends.fork_server.receive(message).value() == Received::kEnd);
  const Status sent = ends.fork_server.send({ControlType::kLoaded, 0, 0, 0, {}});
  REQUIRE(!sent);
  CHECK(sent.error().exit_code == ExitCode::kResource);
}

TEST_CASE("control: a non-blocking end never waits, neither to read nor to write") {
  Ends ends;
  REQUIRE(::fcntl(ends.master.fd(), F_SETFL, O_NONBLOCK) == 0);
  ControlMessage message;
  CHECK(ends.master.receive(message).value() == Received::kNothingYet);
  int sent = 0;
  while (sent < 1'000'000 && ends.master.send({ControlType::kFork, 0, 0, 0, {}}))
    ++sent;
  CHECK(sent > 0);
  CHECK(sent < 1'000'000);
}

TEST_CASE("control: the channel is closed on exec") {
  const Ends ends;
  CHECK(::fcntl(ends.master.fd(), F_GETFD) == FD_CLOEXEC);
  CHECK(::fcntl(ends.fork_server.fd(), F_GETFD) == FD_CLOEXEC);
}

TEST_CASE("control: a geometry survives its journey, another build's is refused") {
  Geometry geometry;
  geometry.worker_slots = 3;
  geometry.ring_entries = 12;
  geometry.job_slots = 1000;
  geometry.payload_bytes = 256ull << 20;
  geometry.result_bytes = 16ull << 20;
  const Result<Geometry> decoded = decode_geometry(encode(geometry));
  REQUIRE(decoded);
  CHECK(decoded->worker_slots == 3);
  CHECK(decoded->ring_entries == 12);
  CHECK(decoded->job_slots == 1000);
  CHECK(decoded->payload_bytes == 256ull << 20);
  CHECK(decoded->result_bytes == 16ull << 20);

  geometry.layout_version = kLayoutVersion + 1;
  const Result<Geometry> other = decode_geometry(encode(geometry));
  REQUIRE(!other);
  CHECK(other.error().message.find("replaced") != std::string::npos);
  CHECK(!decode_geometry(""));
  CHECK(!decode_geometry(encode(Geometry()) + '\0'));
  CHECK(!decode_geometry(encode(Geometry()).substr(1)));
}

TEST_CASE("control: a handler's name, library and options survive their journey") {
  for (const auto& options : {std::vector<std::pair<std::string, std::string>>{},
                              {{"model", "/m.ubj"}},
                              {{"empty", ""}, {"", "keyless"}, {"ü", "=\n"}, {"last", ""}}}) {
    const HandlerSpec spec{"interests", "/lib/interests.so", options, 1, !options.empty()};
    const Result<HandlerSpec> decoded = decode_handler(encode(spec));
    REQUIRE(decoded);
    CHECK(decoded->name == spec.name);
    CHECK(decoded->library == spec.library);
    CHECK(decoded->options == spec.options);
    CHECK(decoded->debug == spec.debug);
  }
}

TEST_CASE("control: half a handler is refused, and nothing is thrown") {
  for (const std::string& text : {""s, "\0"s, "name"s, "name\0"s, "name\0\0"s, "\0lib\0"s}) {
    CAPTURE(text.size());
    CHECK(!decode_handler(text));
  }
  CHECK(decode_handler("name\0lib\0001\0"s));
  for (const std::string& text : {"name\0lib\0"s, "name\0lib\0002\0"s, "name\0lib\0001\0key\0"s,
                                  "name\0lib\0001\0key\0value"s}) {
    CAPTURE(text.size());
    CHECK(!decode_handler(text));
  }
}

TEST_CASE("control: the names of a method and its steps survive their journey") {
  for (const MethodSpec& spec :
       {MethodSpec{"", {"x"}}, MethodSpec{"interests.predict", {"users", "", "ü"}}}) {
    const Result<MethodSpec> decoded = decode_method(encode(spec));
    REQUIRE(decoded);
    CHECK(decoded->name == spec.name);
    CHECK(decoded->steps == spec.steps);
  }
  for (const std::string& text : {""s, "name"s, "name\0step"s})
    CHECK(!decode_method(text));
}

TEST_CASE("control: options that do not fit into a packet are refused, naming the limit") {
  Ends ends;
  const HandlerSpec spec{"interests", "/lib/interests.so", {{"text", std::string(70'000, 'x')}}};
  const Status sent = ends.master.send({ControlType::kHandler, 0, 0, 0, encode(spec)});
  REQUIRE(!sent);
  CHECK(sent.error().exit_code == ExitCode::kConfig);
  CHECK(sent.error().message.find("65536") != std::string::npos);
  // The largest that fits does arrive.
  REQUIRE(ends.master.send({ControlType::kFailed, 0, 0, 0, std::string(65536 - 16, 'y')}));
  ControlMessage message;
  REQUIRE(ends.fork_server.receive(message).value() == Received::kMessage);
  CHECK(message.text.size() == 65536 - 16);
}

TEST_CASE("control: a channel whose other end does not read takes no more, and loses nothing") {
  Ends ends;
  uint32_t sent = 0;
  for (;; ++sent) {
    const Result<bool> taken = ends.master.try_send({ControlType::kFork, sent, 0, 0, {}});
    REQUIRE(taken);
    if (!*taken) break;
  }
  CHECK(sent > 10);
  for (uint32_t i = 0; i < sent; ++i) {
    ControlMessage received;
    REQUIRE(ends.fork_server.receive(received).value() == Received::kMessage);
    CHECK(received.worker == i);
  }
  CHECK(ends.master.try_send({ControlType::kFork, 0, 0, 0, {}}) == true);
}

}  // namespace ringmaster::ipc
