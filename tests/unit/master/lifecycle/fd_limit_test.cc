#include "master/lifecycle/fd_limit.h"

#include <doctest/doctest.h>

namespace ringmaster::master {

TEST_CASE("descriptors: as many clients as configured, or as upstreams and we ourselves leave") {
  Options options;
  options.limits.connections = 1000;
  CHECK(connections_allowed(options, 1193) == 1000);
  CHECK(connections_allowed(options, 1192) == 999);
  options.listen_status.clear();
  CHECK(connections_allowed(options, 100'000) == 1000);
  CHECK(connections_allowed(options, 1128) == 1000);
  CHECK(connections_allowed(options, 1127) == 999);
  options.upstreams.resize(2);
  options.upstreams[0].connections = 300;
  options.upstreams[1].connections = 100;
  // libcurl takes two more for each 16 connections.
  CHECK(connections_allowed(options, 1127) == 547);
  CHECK(connections_allowed(options, 581) == 1);
  CHECK(connections_allowed(options, 580) == 0);
  CHECK(connections_allowed(options, 3) == 0);
}

}  // namespace ringmaster::master
