// ProxyHeader and ProxiedStreams: which bytes they read, and when a header's time is over.
// test_proxy_header.py cannot see these.
#include "net/proxy_header.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <optional>
#include <sys/un.h>

#include "loop_support.h"
#include "net/proxied_streams.h"
#include "net/socket_name.h"

namespace ringmaster::net {
namespace {

using test::contains;
using test::TemporaryFolder;

constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

std::string header(char command, char family, std::string_view rest) {
  std::string text(kSignature);
  text += command;
  text += family;
  text += static_cast<char>(rest.size() >> 8);
  text += static_cast<char>(rest.size());
  text += rest;
  return text;
}

const std::string kTcp4 = header('\x21', '\x11', {"\xc0\0\2\7\xc0\0\2\1\x9c\x40\x1b\x9e", 12});

// Feeds a stream of bytes in pieces, and returns how many of them the header has taken.
size_t feed(ProxyHeader& header, std::string_view stream, size_t piece) {
  size_t taken = 0;
  while (taken < stream.size() && !header.is_complete() && header.fault().empty()) {
    const std::span<char> room = header.room();
    REQUIRE(!room.empty());
    const size_t size = std::min({room.size(), piece, stream.size() - taken});
    std::copy_n(stream.data() + taken, size, room.data());
    taken += size;
    header.feed(size);
  }
  return taken;
}

std::string client_in(const std::string& bytes) {
  ProxyHeader header;
  REQUIRE(feed(header, bytes, 7) == bytes.size());
  REQUIRE(header.is_complete());
  return header.client() ? to_text(*header.client()) : "none";
}

}  // namespace

TEST_CASE("proxy_header: takes the header and no byte of the client, in pieces of any size") {
  for (const std::string& bytes :
       {kTcp4, header('\x20', '\0', ""), header('\x21', '\x31', std::string(216 + 500, 'x'))}) {
    for (size_t piece = 1; piece <= bytes.size() + 10; ++piece) {
      ProxyHeader header;
      CHECK(feed(header, bytes + "{\"jsonrpc\"", piece) == bytes.size());
      CHECK(header.is_complete());
      CHECK(header.fault().empty());
    }
  }
}

TEST_CASE("proxy_header: names the client") {
  CHECK(client_in(kTcp4) == "192.0.2.7:40000");
  const std::string v6 = std::string("\x20\x01\x0d\xb8", 4) + std::string(11, '\0') + '\7';
  const std::string ports("\x9c\x40\x1b\x9e", 4);
  CHECK(client_in(header('\x21', '\x21', v6 + v6 + ports)) == "[2001:db8::7]:40000");
  CHECK(client_in(header('\x20', '\x11', std::string(12, 'x'))) == "none");
  CHECK(client_in(header('\x21', '\0', std::string(12, 'x'))) == "none");
  CHECK(client_in(header('\x21', '\x31', std::string(216, 'x'))) == "none");
}

TEST_CASE("proxy_header: the first wrong byte is a fault at once") {
  for (size_t at = 0; at < kSignature.size(); ++at) {
    std::string bytes = kTcp4;
    bytes[at] ^= 1;
    ProxyHeader header;
    CHECK(feed(header, bytes, 1) == at + 1);
    CHECK(contains(header.fault(), "expected a header of the PROXY protocol, version 2"));
  }
  ProxyHeader header;
  CHECK(feed(header, std::string(kSignature) + '\x22', 1) == kSignature.size() + 1);
  CHECK(header.fault().empty());  // the fault is found once the length has come
}

TEST_CASE("proxy_header: the longest one is 2048 bytes") {
  ProxyHeader longest, longer;
  feed(longest, header('\x20', '\0', std::string(2032, 'x')), 100);
  CHECK(longest.is_complete());
  feed(longer, header('\x20', '\0', std::string(2033, 'x')), 100);
  CHECK(longer.fault() == "expected a header of at most 2048 bytes, found 2049");
}

TEST_CASE("proxied_streams: a stream that sends no header is closed after 10 s") {
  const TemporaryFolder folder;
  test::Loop loop;
  std::string fault;
  ProxiedStreams proxied([&](const std::string& what) { fault = what; });
  auto listener = Listener::bind("unix:" + folder.at("socket"));
  REQUIRE(listener);
  REQUIRE((*listener)->listen(loop.get(), [&](Stream stream) {
    proxied.read_header(std::move(stream), now_ns(), [](Stream) {});
  }));
  const uint64_t before = now_ns();
  const Fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  folder.at("socket").copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  loop.run_until([&] { return proxied.size() == 1; });
  proxied.close_stalled(before + 10 * kNsPerS);
  CHECK(proxied.size() == 1);
  proxied.close_stalled(now_ns() + 10 * kNsPerS + 1);
  CHECK(proxied.size() == 0);
  CHECK(contains(fault, "did not come within 10 s"));
  listener->reset();
}

}  // namespace ringmaster::net
