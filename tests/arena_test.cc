#include "ipc/arena.h"

#include <doctest/doctest.h>
#include <map>
#include <random>
#include <vector>

#include "support.h"

namespace ringmaster::ipc {
namespace {

constexpr uint64_t kMin = Arena::kBlockBytesMin;

// Everything that fits, largest first: the powers of two that make up the capacity.
std::vector<Block> take_everything(Arena& arena, uint64_t capacity) {
  std::vector<Block> blocks;
  for (uint64_t size = uint64_t{1} << 40; size >= kMin; size /= 2) {
    if ((capacity & size) == 0) continue;
    const std::optional<Block> block = arena.allocate(size);
    REQUIRE(block);
    blocks.push_back(*block);
  }
  CHECK(!arena.allocate(1));
  CHECK(arena.used_bytes() == capacity / kMin * kMin);
  return blocks;
}

// Random work on an arena beside a plain map of what it has given out.
class Model {
 public:
  explicit Model(uint64_t capacity) : capacity_(capacity), arena_(capacity) {}

  void allocate() {
    const uint64_t bytes = random_() % 3 == 0 ? random_() % capacity_ : random_() % (4 * kMin);
    const std::optional<Block> block = arena_.allocate(bytes);
    if (!block) return;
    ++allocations_;
    CHECK(block->size >= std::max(bytes, kMin));
    CHECK(block->size < 2 * std::max(bytes, kMin));
    CHECK(block->offset % block->size == 0);
    CHECK(block->offset + block->size <= capacity_);
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
      // Phases that fill and phases that empty.
      random_() % 8 < (i / 500 % 2 == 0 ? 5u : 3u) ? allocate() : free();
    }
    CHECK(allocations_ > steps / 20);
    while (!used_.empty())
      free();
    for (const Block& block : take_everything(arena_, capacity_))
      arena_.free(block);
    CHECK(arena_.used_bytes() == 0);
  }

 private:
  uint64_t capacity_;
  Arena arena_;
  std::map<uint64_t, uint64_t> used_;  // offset -> size
  uint64_t used_bytes_ = 0;
  int allocations_ = 0;
  std::mt19937 random_{7};
};

}  // namespace

TEST_CASE("arena: blocks are powers of two, the smallest that hold what was asked for") {
  Arena arena(64 * kMin);
  for (const auto& [bytes, size] :
       std::vector<std::pair<uint64_t, uint64_t>>{{0, kMin},
                                                  {1, kMin},
                                                  {kMin, kMin},
                                                  {kMin + 1, 2 * kMin},
                                                  {3 * kMin, 4 * kMin},
                                                  {16 * kMin, 16 * kMin}}) {
    const std::optional<Block> block = arena.allocate(bytes);
    REQUIRE(block);
    CHECK(block->size == size);
  }
}

TEST_CASE("arena: what does not fit is refused, whatever its size") {
  Arena arena(8 * kMin);
  CHECK(!arena.allocate(8 * kMin + 1));
  CHECK(!arena.allocate(uint64_t{1} << 63));
  CHECK(!arena.allocate(~uint64_t{0}));
  CHECK(arena.used_bytes() == 0);
  const std::optional<Block> all = arena.allocate(8 * kMin);
  REQUIRE(all);
  CHECK(!arena.allocate(0));
  arena.free(*all);
  CHECK(arena.allocate(8 * kMin));
}

TEST_CASE("arena: a capacity that is no power of two can be used to the last whole block") {
  for (const uint64_t units : {1, 2, 3, 7, 21, 100, 1023, 1025}) {
    Arena arena(units * kMin + kMin / 2);
    CAPTURE(units);
    const std::vector<Block> blocks = take_everything(arena, units * kMin);
    for (const Block& block : blocks)
      arena.free(block);
    take_everything(arena, units * kMin);
  }
}

TEST_CASE("arena: freed neighbours join again, in whatever order they are freed") {
  Arena arena(8 * kMin);
  for (const auto& order : {std::vector<size_t>{0, 1, 2, 3, 4, 5, 6, 7},
                            {7, 6, 5, 4, 3, 2, 1, 0},
                            {3, 0, 6, 5, 1, 7, 2, 4}}) {
    std::vector<Block> blocks;
    for (size_t i = 0; i < 8; ++i)
      blocks.push_back(arena.allocate(kMin).value());
    for (const size_t i : order) {
      CHECK(!arena.allocate(8 * kMin));
      arena.free(blocks[i]);
    }
    const std::optional<Block> whole = arena.allocate(8 * kMin);
    REQUIRE(whole);
    arena.free(*whole);
  }
}

TEST_CASE("arena: random work never overlaps, and ends with everything free") {
  for (const uint64_t units : {1, 37, 64, 1000})
    Model(units * kMin).run(20'000);
}

TEST_CASE("arena: freeing what is not in use breaks an invariant") {
  Arena arena(8 * kMin);
  const Block first = arena.allocate(kMin).value();
  const Block second = arena.allocate(kMin).value();
  CHECK(test::is_broken_invariant([&] { arena.free({first.offset, 2 * kMin}); }));
  CHECK(test::is_broken_invariant([&] { arena.free({first.offset + 1, kMin}); }));
  CHECK(test::is_broken_invariant([&] { arena.free({8 * kMin, kMin}); }));
  arena.free(first);
  CHECK(test::is_broken_invariant([&] { arena.free(first); }));
  arena.free(second);
  CHECK(test::is_broken_invariant([&] { arena.free(first); }));
  CHECK(test::is_broken_invariant([&] { arena.free(second); }));  // it has joined the first
}

}  // namespace ringmaster::ipc
