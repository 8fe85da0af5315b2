#include "master/lifecycle/fd_limit.h"

#include <doctest/doctest.h>

namespace ringmaster::master {

TEST_CASE("descriptors: as many clients as configured, or as upstreams and we ourselves leave") {
  Options options;
  options.limits.connections = 1000;
  options.worker_count = 1;  // two for its output
  CHECK(connections_allowed(options, 1195) == 1000);
  CHECK(connections_allowed(options, 1194) == 999);
  options.listen_status.clear();
  CHECK(connections_allowed(options, 100'000) == 1000);
  CHECK(connections_allowed(options, 1130) == 1000);
  CHECK(connections_allowed(options, 1129) == 999);
  options.upstreams.resize(2);
  options.upstreams[0].connections = 300;
  options.upstreams[1].connections = 100;
  // libcurl takes two more for each 16 connections.
  CHECK(connections_allowed(options, 1129) == 547);
  CHECK(connections_allowed(options, 583) == 1);
  CHECK(connections_allowed(options, 582) == 0);
  CHECK(connections_allowed(options, 3) == 0);
  options.upstreams.clear();
  options.worker_count = 512;
  CHECK(connections_allowed(options, 1130 + 2 * 511) == 1000);
  CHECK(connections_allowed(options, 1129 + 2 * 511) == 999);
}

}  // namespace ringmaster::master
