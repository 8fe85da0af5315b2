#include "base/telemetry/recent_counts.h"

#include <doctest/doctest.h>

#include "base/telemetry/recorder.h"

namespace ringmaster::telemetry {
namespace {

constexpr uint64_t kS = 1'000'000'000;

// A recorder whose requests of one method get a result, each at a given second.
struct Counted {
  Recorder recorder;
  const NameId method = recorder.name("score");

  void answer(uint64_t s) {
    Trail trail{s, 0, 0, method};
    recorder.record(trail, EventKind::kAnswered, s * kS, {.took_ns = 1});
  }
  uint64_t ok_at(uint64_t s) const {
    const auto& methods = recorder.metrics_at(s * kS).counts.methods();
    return method < methods.size() ? methods[method].ok : 0;
  }
  uint64_t at_s(uint64_t s) const { return recorder.metrics_at(s * kS).at_ns / kS; }
};

TEST_CASE("recent counts: they are those of that time, or of up to a step before") {
  Counted scene;
  for (uint64_t s = 1000; s < 1100; ++s)
    scene.answer(s);
  for (uint64_t s = 1030; s < 1090; ++s) {
    CAPTURE(s);
    CHECK(scene.at_s(s) <= s);
    CHECK(s - scene.at_s(s) < 10);
    CHECK(scene.ok_at(s) == scene.at_s(s) - 1000);
  }
  CHECK(scene.ok_at(1100) == 100);  // the present counts
}

TEST_CASE("recent counts: without events between, they are exactly those of that time") {
  Counted scene;
  scene.answer(1000);
  scene.answer(1001);
  scene.answer(1500);
  CHECK(scene.ok_at(1495) == 2);
  CHECK(scene.at_s(1495) == 1495);
  CHECK(scene.ok_at(1600) == 3);
  CHECK(scene.at_s(1600) == 1600);
}

TEST_CASE("recent counts: before the first event all counts are 0") {
  Counted scene;
  CHECK(scene.ok_at(5) == 0);
  scene.answer(1000);
  CHECK(scene.ok_at(995) == 0);
  CHECK(scene.at_s(995) == 995);
}

TEST_CASE("recent counts: a minute is kept, however many events there are") {
  Counted scene;
  for (uint64_t s = 1000; s < 1000 + 600; ++s)
    scene.answer(s);
  const uint64_t oldest_s = 1599 - RecentCounts::kAgeMaxNs / kS;
  CHECK(scene.ok_at(oldest_s) == scene.at_s(oldest_s) - 1000);
  CHECK(oldest_s - scene.at_s(oldest_s) < 10);
}

}  // namespace
}  // namespace ringmaster::telemetry
