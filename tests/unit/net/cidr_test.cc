#include "net/cidr.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <sys/un.h>

namespace ringmaster::net {
namespace {

sockaddr_storage peer(const char* address) {
  sockaddr_storage storage{};
  auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
  if (::inet_pton(AF_INET, address, &v4.sin_addr) == 1) {
    storage.ss_family = AF_INET;
  } else {
    REQUIRE(::inet_pton(AF_INET6, address, &v6.sin6_addr) == 1);
    storage.ss_family = AF_INET6;
  }
  return storage;
}

bool is_in(const char* range, const char* address) {
  const auto cidr = Cidr::parse(range);
  REQUIRE_MESSAGE(cidr, range);
  CHECK(cidr->text() == range);
  return cidr->contains(peer(address));
}

}  // namespace

TEST_CASE("cidr: an IPv4 range has the addresses of its prefix, and no others") {
  CHECK(is_in("10.0.0.0/8", "10.0.0.0"));
  CHECK(is_in("10.0.0.0/8", "10.255.255.255"));
  CHECK(!is_in("10.0.0.0/8", "11.0.0.0"));
  CHECK(!is_in("10.0.0.0/8", "9.255.255.255"));
  CHECK(is_in("192.168.4.0/22", "192.168.7.255"));
  CHECK(is_in("192.168.4.0/22", "192.168.4.0"));
  CHECK(!is_in("192.168.4.0/22", "192.168.8.0"));
  CHECK(!is_in("192.168.4.0/22", "192.168.3.255"));
  CHECK(is_in("192.0.2.6/31", "192.0.2.7"));
  CHECK(!is_in("192.0.2.6/31", "192.0.2.5"));
  CHECK(!is_in("192.0.2.6/31", "192.0.2.8"));
  CHECK(is_in("192.0.2.7/32", "192.0.2.7"));
  CHECK(!is_in("192.0.2.7/32", "192.0.2.6"));
  CHECK(is_in("192.0.2.7", "192.0.2.7"));
  CHECK(!is_in("192.0.2.7", "192.0.2.8"));
  CHECK(is_in("128.0.0.0/1", "255.255.255.255"));
  CHECK(!is_in("128.0.0.0/1", "127.255.255.255"));
  CHECK(is_in("0.0.0.0/0", "203.0.113.9"));
}

TEST_CASE("cidr: an IPv6 range has the addresses of its prefix, and no others") {
  CHECK(is_in("fd00::/8", "fd12:3456::1"));
  CHECK(!is_in("fd00::/8", "fe80::1"));
  CHECK(is_in("2001:db8::/61", "2001:db8:0:7:ffff::"));
  CHECK(!is_in("2001:db8::/61", "2001:db8:0:8::"));
  CHECK(!is_in("2001:db8::/61", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff"));
  CHECK(is_in("2001:db8::2/127", "2001:db8::3"));
  CHECK(!is_in("2001:db8::2/127", "2001:db8::1"));
  CHECK(!is_in("2001:db8::2/127", "2001:db8::4"));
  CHECK(is_in("::1", "::1"));
  CHECK(!is_in("::1", "::2"));
  CHECK(is_in("::/0", "2001:db8::1"));
}

TEST_CASE("cidr: an IPv4 client of an IPv6 socket is an IPv4 client") {
  CHECK(is_in("10.0.0.0/8", "::ffff:10.1.2.3"));
  CHECK(!is_in("10.0.0.0/8", "::ffff:11.1.2.3"));
  CHECK(is_in("::ffff:10.0.0.0/104", "10.1.2.3"));
  CHECK(!is_in("::/0", "10.1.2.3"));
  CHECK(!is_in("::/0", "::ffff:10.1.2.3"));
  CHECK(!is_in("::/64", "::ffff:10.1.2.3"));
  CHECK(!is_in("0.0.0.0/0", "2001:db8::1"));
  CHECK(!is_in("0.0.0.0/0", "::1"));
}

TEST_CASE("cidr: a client without an IP address is in no range") {
  sockaddr_storage nobody{};
  CHECK(!Cidr::parse("0.0.0.0/0")->contains(nobody));
  nobody.ss_family = AF_UNIX;
  CHECK(!Cidr::parse("0.0.0.0/0")->contains(nobody));
  CHECK(!Cidr::parse("::/0")->contains(nobody));
}

TEST_CASE("cidr: the error for an invalid range says what was expected") {
  for (const char* text : {"", "/", "10.0.0.0.0/8", "10.0.0/8", "localhost", "10.0.0.256/32",
                           "fd00:::/8", "[fd00::]/8", " 10.0.0.0/8", "10.0.0.0 /8"}) {
    CAPTURE(text);
    REQUIRE(!Cidr::parse(text));
    CHECK(Cidr::parse(text).error().starts_with("expected a range of addresses"));
  }
  for (const char* text : {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8x", "10.0.0.0/+8",
                           "10.0.0.0/ 8", "10.0.0.0/255.0.0.0", "10.0.0.0/4294967304"}) {
    CAPTURE(text);
    REQUIRE(!Cidr::parse(text));
    CHECK(Cidr::parse(text).error() == "expected a length of 0 to 32 bits after the /");
  }
  CHECK(Cidr::parse("fd00::/129").error() == "expected a length of 0 to 128 bits after the /");
  for (const char* text : {"10.0.0.1/8", "10.128.0.0/8", "0.0.0.1/0", "fd00::1/64"}) {
    CAPTURE(text);
    REQUIRE(!Cidr::parse(text));
    CHECK(Cidr::parse(text).error() == "expected only zeros beyond the length after the /");
  }
}

}  // namespace ringmaster::net
