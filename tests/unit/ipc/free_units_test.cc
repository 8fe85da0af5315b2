#include "ipc/free_units.h"

#include <doctest/doctest.h>
#include <random>
#include <vector>

#include "support.h"

namespace ringmaster::ipc {
namespace {

// Finds the same gaps as FreeUnits, by a look at each unit.
class UnitModel {
 public:
  explicit UnitModel(uint32_t count) : is_free_(count, true) {}

  std::optional<uint32_t> lowest(uint32_t length) const {
    uint32_t run = 0;
    for (uint32_t at = 0; at < is_free_.size(); ++at) {
      run = is_free_[at] ? run + 1 : 0;
      if (run == length) return at + 1 - length;
    }
    return std::nullopt;
  }
  std::optional<uint32_t> highest(uint32_t length) const {
    uint32_t run = 0;
    for (auto at = static_cast<uint32_t>(is_free_.size()); at-- > 0;) {
      run = is_free_[at] ? run + 1 : 0;
      if (run == length) return at;
    }
    return std::nullopt;
  }
  void set(uint32_t start, uint32_t length, bool is_free) {
    for (uint32_t at = start; at < start + length; ++at)
      is_free_[at] = is_free;
  }

 private:
  std::vector<bool> is_free_;
};

}  // namespace

TEST_CASE("free units: finds the same lowest and highest gaps as a look at each unit") {
  std::mt19937 random(11);
  for (const uint32_t count : {1u, 63u, 64u, 65u, 128u, 300u, 1000u}) {
    CAPTURE(count);
    FreeUnits units(count);
    UnitModel model(count);
    std::vector<std::pair<uint32_t, uint32_t>> taken;
    for (int step = 0; step < 4000; ++step) {
      const uint32_t length = 1 + static_cast<uint32_t>(random() % (random() % 4 == 0 ? count : 9));
      const std::optional<uint32_t> low = units.lowest(length);
      const std::optional<uint32_t> high = units.highest(length);
      REQUIRE(low == model.lowest(length));
      REQUIRE(high == model.highest(length));
      if (low && random() % 2 == 0) {
        const uint32_t start = random() % 2 == 0 ? *low : *high;
        units.take(start, length);
        model.set(start, length, false);
        taken.emplace_back(start, length);
      } else if (!taken.empty()) {
        std::swap(taken[random() % taken.size()], taken.back());
        units.give_back(taken.back().first, taken.back().second);
        model.set(taken.back().first, taken.back().second, true);
        taken.pop_back();
      }
    }
  }
}

TEST_CASE("free units: to take a taken unit, or to give back a free one, breaks an invariant") {
  FreeUnits units(100);
  units.take(60, 10);
  CHECK(test::is_broken_invariant([&] { units.take(69, 1); }));
  CHECK(test::is_broken_invariant([&] { units.take(50, 11); }));
  CHECK(test::is_broken_invariant([&] { units.give_back(60, 11); }));
  CHECK(test::is_broken_invariant([&] { units.take(99, 2); }));  // there are only 100
  CHECK(test::is_broken_invariant([&] { units.take(5, 0); }));
}

}  // namespace ringmaster::ipc
