#include "upstream/name_lookup.h"

#include <doctest/doctest.h>

#include "loop_support.h"

namespace ringmaster::upstream {

TEST_CASE("name lookup: the host of a URL is a name, unless it is an address") {
  CHECK(host_name_of("http://users.internal:7080/v1") == "users.internal");
  CHECK(host_name_of("https://me:secret@users/") == "users");
  CHECK(host_name_of("http://127.0.0.1:7080/") == "");
  CHECK(host_name_of("http://[::1]/") == "");
  CHECK(host_name_of("unix:/run/users.sock") == "");
}

TEST_CASE("name lookup: an address of one link is told with its interface") {
  sockaddr_in6 local{};
  REQUIRE(uv_ip6_addr("fe80::1", 80, &local) == 0);
  const auto* const address = reinterpret_cast<const sockaddr*>(&local);
  CHECK(ip_text(address) == "fe80::1");
  local.sin6_scope_id = 7;
  CHECK(ip_text(address) == "fe80::1%7");
}

TEST_CASE("name lookup: the addresses come with a later turn of the loop") {
  test::Loop loop;
  std::vector<std::string> found;
  const auto lookup = NameLookup::create(loop.get(), "users", "127.0.0.1",
                                         [&](const auto& addresses) { found = addresses; });
  REQUIRE(lookup);
  CHECK(found.empty());
  loop.run_until([&] { return !found.empty(); });
  CHECK(found == std::vector<std::string>{"127.0.0.1"});
}

TEST_CASE("name lookup: nothing is found after the lookup was dropped") {
  bool is_found = false;
  {
    test::Loop loop;
    for (int i = 0; i < 20; ++i)
      CHECK(NameLookup::create(loop.get(), "users", "127.0.0.1",
                               [&](const auto&) { is_found = true; }));
  }
  CHECK(!is_found);
}

}  // namespace ringmaster::upstream
