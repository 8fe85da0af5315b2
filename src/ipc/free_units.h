// FreeUnits: which units of a memory are free, and where many free ones lie side by side.
//
// A bitmap, 64 units to a word, and above the words a binary tree: each node holds the longest runs
// of free units at its beginning, at its end, and anywhere in it. So a search finds every gap that
// is long enough, and adjacent free units form one gap.
//
// Processes: one; nothing is shared.
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
  // All units are free.
  explicit FreeUnits(uint32_t count);

  // The first unit of `length` (at least 1) free units side by side, at the lowest or at the
  // highest place. Empty: there is no such place.
  std::optional<uint32_t> lowest(uint32_t length) const { return find(length, true); }
  std::optional<uint32_t> highest(uint32_t length) const { return find(length, false); }

  // Takes or frees the units [start, start + length). REQUIRES: take(): all are free; give_back():
  // none is free.
  void take(uint32_t start, uint32_t length) { set(start, length, false); }
  void give_back(uint32_t start, uint32_t length) { set(start, length, true); }

 private:
  struct alignas(16) Gaps {  // of a node, in units; aligned: one instruction compares or copies it
    uint32_t front;
    uint32_t back;
    uint32_t longest;
    bool operator==(const Gaps&) const = default;
  };
  static constexpr uint32_t kWordUnits = 64;

  std::optional<uint32_t> find(uint32_t length, bool is_lowest) const;
  static Gaps gaps_of(uint64_t word);
  static Gaps join(const Gaps& low, const Gaps& high, uint32_t half);
  void set(uint32_t start, uint32_t length, bool is_free);
  void update(uint32_t first_word, uint32_t last_word);

  std::vector<uint64_t> words_;  // a power of two of them; a bit is set where a unit is free
  std::vector<Gaps> nodes_;      // 1: the root; children of n: 2n, 2n + 1; the last level: words_
};

}  // namespace ringmaster::ipc
