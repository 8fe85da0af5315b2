#include "master/lifecycle/start_progress.h"

#include <doctest/doctest.h>

namespace ringmaster::master {

TEST_CASE("start progress: a load moves while the fork server uses CPU time") {
  StartProgress progress;
  CHECK(progress.has_moved({.is_starting = true, .load_cpu_ns = 5}));
  CHECK(!progress.has_moved({.is_starting = true, .load_cpu_ns = 5}));
  CHECK(progress.has_moved({.is_starting = true, .load_cpu_ns = 6}));
  CHECK(progress.has_moved({.is_starting = true}));  // loaded: the workers start
  CHECK(progress.has_moved({.is_starting = true}));
  CHECK(!progress.has_moved({.load_cpu_ns = 7}));  // the serving deployment loads anew
  CHECK(!progress.has_moved({}));
}

TEST_CASE("start progress: files that are read for too long do not move") {
  StartProgress progress;
  for (int reload = 0; reload < 2; ++reload) {
    for (int look = 0; look < StartProgress::kReadLooksMax; ++look)
      CHECK(progress.has_moved({.is_starting = true, .is_reading = true}));
    CHECK(!progress.has_moved({.is_starting = true, .is_reading = true}));
    CHECK(progress.has_moved({.is_starting = true}));  // they are read at last
  }
}

}  // namespace ringmaster::master
