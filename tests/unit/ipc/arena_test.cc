#include "ipc/arena.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <map>
#include <random>
#include <vector>

#include "support.h"

namespace ringmaster::ipc {
namespace {

constexpr uint64_t kUnit = Arena::kUnitBytes;
constexpr uint64_t kMiB = 1 << 20;

// Random work on an arena, checked against a plain map of its blocks.
class ArenaModel {
 public:
  explicit ArenaModel(uint64_t capacity) : capacity_(capacity), arena_(capacity) {}

  void allocate() {
    const uint64_t bytes = random_() % 3 == 0 ? random_() % capacity_ : random_() % (4 * kUnit);
    const std::optional<Block> block = arena_.allocate(bytes);
    const bool is_small = Arena::block_bytes(bytes) <= capacity_ / 64;
    const uint64_t end = is_small ? capacity_ - capacity_ / 4 / kUnit * kUnit : capacity_;
    CHECK(block.has_value() == (longest_gap(end) >= Arena::block_bytes(bytes)));
    if (!block) return;
    ++allocations_;
    CHECK(block->size == Arena::block_bytes(bytes));
    CHECK(block->offset % kUnit == 0);
    CHECK(block->offset + block->size <= end);
    const auto next = used_.lower_bound(block->offset);
    if (next != used_.end()) CHECK(block->offset + block->size <= next->first);
    if (next != used_.begin()) {
      CHECK(std::prev(next)->first + std::prev(next)->second <= block->offset);
    }
    used_[block->offset] = block->size;
    used_bytes_ += block->size;
    CHECK(arena_.used_bytes() == used_bytes_);
  }
  void free() {
    if (used_.empty()) return;
    auto victim = used_.lower_bound(random_() % capacity_);
    if (victim == used_.end()) victim = used_.begin();
    arena_.free({victim->first, victim->second});
    used_bytes_ -= victim->second;
    used_.erase(victim);
    CHECK(arena_.used_bytes() == used_bytes_);
  }
  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      // Some phases fill the arena, others empty it.
      random_() % 8 < (i / 500 % 2 == 0 ? 5u : 3u) ? allocate() : free();
    }
    CHECK(allocations_ > steps / 20);
    while (!used_.empty())
      free();
    CHECK(arena_.allocate(capacity_));
  }

 private:
  // The longest gap in [0, end).
  uint64_t longest_gap(uint64_t end) const {
    uint64_t longest = 0;
    uint64_t begin = 0;
    for (const auto& [offset, size] : used_) {
      if (std::min(offset, end) > begin) longest = std::max(longest, std::min(offset, end) - begin);
      begin = offset + size;
    }
    return end > begin ? std::max(longest, end - begin) : longest;
  }

  uint64_t capacity_;
  Arena arena_;
  std::map<uint64_t, uint64_t> used_;  // offset -> size
  uint64_t used_bytes_ = 0;
  int allocations_ = 0;
  std::mt19937 random_{7};
};

std::vector<Block> fill(Arena& arena, uint64_t bytes) {
  std::vector<Block> blocks;
  while (const std::optional<Block> block = arena.allocate(bytes))
    blocks.push_back(*block);
  return blocks;
}

}  // namespace

TEST_CASE("arena: a block's size is the requested one, rounded up to whole units") {
  Arena arena(64 * kMiB);
  for (const auto& [bytes, size] :
       std::vector<std::pair<uint64_t, uint64_t>>{{0, kUnit},
                                                  {1, kUnit},
                                                  {kUnit, kUnit},
                                                  {kUnit + 1, 2 * kUnit},
                                                  {3 * kUnit, 3 * kUnit},
                                                  {16 * kMiB + 64, 16 * kMiB + kUnit}}) {
    const uint64_t before = arena.used_bytes();
    const std::optional<Block> block = arena.allocate(bytes);
    REQUIRE(block);
    CHECK(block->size == size);
    CHECK(arena.used_bytes() - before == size);
  }
}

TEST_CASE("arena: a block that does not fit is refused, whatever its size") {
  Arena arena(8 * kUnit);
  CHECK(!arena.allocate(8 * kUnit + 1));
  CHECK(!arena.allocate(uint64_t{1} << 63));
  CHECK(!arena.allocate(~uint64_t{0}));
  CHECK(arena.used_bytes() == 0);
  const std::optional<Block> all = arena.allocate(8 * kUnit);
  REQUIRE(all);
  CHECK(!arena.allocate(0));
  arena.free(*all);
  CHECK(arena.allocate(8 * kUnit));
}

TEST_CASE("arena: one block may take the whole capacity, rounded down to whole units") {
  for (const uint64_t units : {1, 2, 3, 7, 21, 100, 1023, 1025, 24 * 1024}) {
    CAPTURE(units);
    Arena arena(units * kUnit + kUnit / 2);
    const std::optional<Block> all = arena.allocate(units * kUnit);
    REQUIRE(all);
    CHECK(!arena.allocate(1));
    arena.free(*all);
    CHECK(!arena.allocate(units * kUnit + 1));
    CHECK(arena.allocate(units * kUnit));
  }
}

TEST_CASE("arena: random work never overlaps, uses every gap, and ends with everything free") {
  for (const uint64_t units : {1, 37, 64, 1000})
    ArenaModel(units * kUnit).run(20'000);
}

TEST_CASE("arena: small blocks do not keep out a large one, wherever they lie") {
  constexpr uint64_t kCapacity = 256 * kMiB;
  Arena arena(kCapacity);
  std::mt19937 random(3);
  // As many small blocks as fit, in the order of their places.
  std::vector<Block> small = fill(arena, 16 << 10);
  CHECK(small.size() == kCapacity * 3 / 4 / (16 << 10));
  // Tries it with all small blocks, then with half of them, and so on down to some eight.
  while (small.size() > 8) {
    const std::optional<Block> large = arena.allocate(kCapacity / 4);
    REQUIRE(large);
    arena.free(*large);
    for (size_t left = small.size() / 2 + 4; small.size() > left; small.pop_back()) {
      std::swap(small[random() % small.size()], small.back());
      arena.free(small.back());
    }
  }
  // Eight small blocks that lie as far from each other as they can.
  for (const Block& block : small)
    arena.free(block);
  small = fill(arena, 16 << 10);
  for (size_t i = 0; i < small.size(); ++i)
    if (i % (small.size() / 8) != 0) arena.free(small[i]);
  CHECK(arena.used_bytes() == 8 * (16 << 10));
  CHECK(fill(arena, 16 * kMiB + 64).size() >= 8);
}

TEST_CASE("arena: blocks of all sizes never keep out a block that the guarantee promises") {
  constexpr uint64_t kCapacity = 1000 * kUnit;
  Arena arena(kCapacity);
  std::mt19937 random(5);
  std::vector<Block> live;
  int promised = 0;
  for (int step = 0; step < 50'000; ++step) {
    const uint64_t bytes = (random() % 8 == 0 ? random() % 250 : random() % 15) * kUnit;
    const bool is_filling = step / 1000 % 2 == 0;
    if (live.empty() || random() % 8 < (is_filling ? 6 : 2)) {
      if (const std::optional<Block> block = arena.allocate(bytes)) live.push_back(*block);
    } else {
      std::swap(live[random() % live.size()], live.back());
      arena.free(live.back());
      live.pop_back();
    }
    const auto is_in_upper_quarter = [](const Block& block) {
      return block.size > kCapacity / 64 && block.offset + block.size > kCapacity * 3 / 4;
    };
    if (std::any_of(live.begin(), live.end(), is_in_upper_quarter)) continue;
    ++promised;
    const std::optional<Block> large = arena.allocate(kCapacity / 4);
    REQUIRE(large);
    arena.free(*large);
  }
  CHECK(promised > 100);
}

TEST_CASE("arena: freeing a block that is not in use breaks an invariant") {
  Arena arena(8 * kUnit);
  const Block first = arena.allocate(kUnit).value();
  const Block second = arena.allocate(2 * kUnit).value();
  CHECK(test::is_broken_invariant([&] { arena.free({first.offset, 2 * kUnit}); }));
  CHECK(test::is_broken_invariant([&] { arena.free({first.offset + 1, kUnit}); }));
  CHECK(test::is_broken_invariant([&] { arena.free({second.offset + kUnit, kUnit}); }));
  CHECK(test::is_broken_invariant([&] { arena.free({8 * kUnit, kUnit}); }));
  CHECK(test::is_broken_invariant([&] { arena.free({second.offset, 0}); }));
  arena.free(first);
  CHECK(test::is_broken_invariant([&] { arena.free(first); }));
  arena.free(second);
  CHECK(test::is_broken_invariant([&] { arena.free(first); }));
  CHECK(test::is_broken_invariant([&] { arena.free(second); }));
}

}  // namespace ringmaster::ipc
