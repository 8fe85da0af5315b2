#include "master/lifecycle/fd_limit.h"

#include <doctest/doctest.h>

namespace ringmaster::master {

TEST_CASE("descriptors: as many connections as configured, or as upstreams and the server leave") {
  Options options;
  options.limits.connections = 1000;
  options.worker_count = 1;  // in each of up to three configurations: a descriptor for its output
  CHECK(connections_allowed(options, 1204) == 1000);
  CHECK(connections_allowed(options, 1203) == 999);
  options.listen_status.clear();
  CHECK(connections_allowed(options, 100'000) == 1000);
  CHECK(connections_allowed(options, 1139) == 1000);
  CHECK(connections_allowed(options, 1138) == 999);
  options.upstreams.resize(2);
  options.upstreams[0].connections = 300;
  options.upstreams[1].connections = 100;
  // libcurl takes two more for each 16 connections.
  CHECK(connections_allowed(options, 2000) == 505);
  CHECK(connections_allowed(options, 1496) == 1);
  CHECK(connections_allowed(options, 1495) == 0);
  CHECK(connections_allowed(options, 3) == 0);
  options.upstreams.clear();
  options.worker_count = 512;
  CHECK(connections_allowed(options, 1139 + 3 * 511) == 1000);
  CHECK(connections_allowed(options, 1138 + 3 * 511) == 999);
}

}  // namespace ringmaster::master
