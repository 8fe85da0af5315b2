// FreeUnits: which units of a memory are free, and where many free ones lie side by side.
//
// A bitmap, 64 units to a word, and above the words a binary tree: each node says how many units
// are free side by side at its beginning, at its end, and at most anywhere in it. So every gap that
// is long enough is found, wherever it begins, and neighbours that are given back are one gap.
//
// Processes: the one that owns it; nothing is shared.
// Cost:      no allocation after construction. A search visits one node a level, O(log count); a
//            change also visits each word that it changes: one for 64 units.
// Memory:    about a byte a unit.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace ringmaster::ipc {

class FreeUnits {
 public:
  // All of them are free.
  explicit FreeUnits(uint32_t count);

  // The first unit of `length` (at least 1) free units side by side: those at the lowest, or at the
  // highest place where there are so many. Empty: there are not so many side by side.
  std::optional<uint32_t> lowest(uint32_t length) const;
  std::optional<uint32_t> highest(uint32_t length) const;

  // The units [start, start + length), which must be free; or must not be.
  void take(uint32_t start, uint32_t length) { set(start, length, false); }
  void give_back(uint32_t start, uint32_t length) { set(start, length, true); }

 private:
  struct alignas(16) Gaps {  // of a node, in units; aligned, it is compared and copied at once
    uint32_t front;
    uint32_t back;
    uint32_t longest;
    bool operator==(const Gaps&) const = default;
  };
  static constexpr uint32_t kWordUnits = 64;

  static Gaps gaps_of(uint64_t word);
  static Gaps join(const Gaps& low, const Gaps& high, uint32_t half);
  void set(uint32_t start, uint32_t length, bool is_free);
  void update(uint32_t first_word, uint32_t last_word);

  std::vector<uint64_t> words_;  // a power of two of them; a bit is set where a unit is free
  std::vector<Gaps> nodes_;      // 1: the root; those below n: 2n and 2n + 1; the last: the words'
};

}  // namespace ringmaster::ipc
