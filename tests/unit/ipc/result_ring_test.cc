#include "ipc/result_ring.h"

#include <algorithm>
#include <cstring>
#include <doctest/doctest.h>
#include <random>
#include <string>
#include <thread>
#include <tuple>

#include "guarded_memory.h"
#include "support.h"

namespace ringmaster::ipc {
namespace {

using test::GuardedMemory;

// One worker's region with both of its ends.
struct Pair {
  explicit Pair(size_t result_bytes)
      : memory(result_region_bytes(result_bytes)), reader(memory.bytes()), writer(memory.bytes()) {}

  bool write(uint32_t job, std::string_view bytes, int32_t code = 0) {
    char* room = writer.try_reserve(bytes.size());
    if (room == nullptr) return false;
    std::copy(bytes.begin(), bytes.end(), room);
    writer.commit({job, job + 1}, code, bytes.size(), 0);
    return true;
  }
  // "job:code:bytes" of the next record; "": there is none; "damaged": the ring is damaged.
  std::string read() {
    const auto record = reader.peek();
    if (!record) return "damaged";
    if (!*record) return "";
    const ResultReader::Record& it = **record;
    CHECK(it.id.sequence == it.id.job + 1);
    std::string text = std::to_string(it.id.job) + ":" + std::to_string(it.code) + ":";
    text += it.bytes;
    reader.pop();
    return text;
  }
  size_t data_bytes() const { return memory.bytes().size() - sizeof(ResultRingWords); }

  GuardedMemory memory;
  ResultReader reader;
  ResultWriter writer;
};

}  // namespace

TEST_CASE("result ring: a record says how long its run took, to the last bit") {
  Pair pair(1000);
  using Used = std::optional<uint64_t>;
  const std::tuple<uint64_t, bool, Used> rows[] = {{0, true, 0},
                                                   {3'000'000'007, true, 3'000'000'007},
                                                   {not_called(0), false, 0},
                                                   {not_called(25'000'001), false, 25'000'001},
                                                   {kNotRun, false, Used()}};
  for (const auto& [run_ns, was_run, used_ns] : rows) {
    REQUIRE(pair.writer.try_reserve(0) != nullptr);
    pair.writer.commit({1, 2}, 0, 0, run_ns);
    const auto record = pair.reader.peek();
    REQUIRE(record.value());
    CHECK((*record)->was_run() == was_run);
    CHECK((*record)->used_ns() == used_ns);
    pair.reader.pop();
  }
}

TEST_CASE("result ring: records come out in order, with their codes and bytes") {
  Pair pair(1000);
  CHECK(pair.read() == "");
  CHECK(pair.reader.was_empty());
  REQUIRE(pair.write(1, "one"));
  REQUIRE(pair.write(2, "", -32000));
  REQUIRE(pair.write(3, "exactly sixteen."));
  CHECK(!pair.reader.was_empty());
  CHECK(pair.read() == "1:0:one");
  CHECK(pair.read() == "2:-32000:");
  CHECK(pair.read() == "3:0:exactly sixteen.");
  CHECK(pair.read() == "");
  CHECK(pair.reader.was_empty());
}

TEST_CASE("result ring: invariant 3: nothing is visible before commit") {
  Pair pair(1000);
  char* room = pair.writer.try_reserve(4);
  REQUIRE(room != nullptr);
  std::memcpy(room, "half", 4);
  CHECK(pair.reader.was_empty());
  CHECK(pair.read() == "");
  // A writer that died here is followed by one that begins where the last record ended.
  ResultWriter successor(pair.memory.bytes());
  room = successor.try_reserve(5);
  REQUIRE(room != nullptr);
  std::memcpy(room, "whole", 5);
  successor.commit({5, 6}, 0, 5, 0);
  CHECK(pair.read() == "5:0:whole");
  CHECK(pair.read() == "");
}

TEST_CASE("result ring: a second reserve replaces the first, a commit may be shorter") {
  Pair pair(1000);
  REQUIRE(pair.writer.try_reserve(1000) != nullptr);
  char* room = pair.writer.try_reserve(500);
  REQUIRE(room != nullptr);
  std::memcpy(room, "short", 5);
  pair.writer.commit({1, 2}, 0, 5, 0);
  REQUIRE(pair.write(2, "next"));
  CHECK(pair.read() == "1:0:short");
  CHECK(pair.read() == "2:0:next");
}

TEST_CASE("result ring: a reserve that would have skipped may be replaced by one that fits") {
  Pair pair(1000);
  const std::string filler(pair.data_bytes() - 128 - sizeof(RecordHeader), 'f');
  REQUIRE(pair.write(1, filler));
  CHECK(pair.read() == "1:0:" + filler);
  REQUIRE(pair.writer.try_reserve(1000) != nullptr);  // behind a skip record
  REQUIRE(pair.write(2, "fits"));                     // before the end
  REQUIRE(pair.write(3, std::string(1000, 'x')));
  CHECK(pair.read() == "2:0:fits");
  CHECK(pair.read() == "3:0:" + std::string(1000, 'x'));
}

TEST_CASE("result ring: the longest result finds room in an empty ring, wherever the tail is") {
  constexpr size_t kLongest = 5000;
  Pair pair(kLongest);
  const std::string longest(kLongest, 'L');
  for (uint32_t i = 0; i < 2000; ++i) {
    REQUIRE(pair.write(i, std::string(i % 97, 's')));
    CHECK(pair.read() == std::to_string(i) + ":0:" + std::string(i % 97, 's'));
    REQUIRE(pair.write(i, longest));
    CHECK(pair.read() == std::to_string(i) + ":0:" + longest);
  }
}

TEST_CASE("result ring: a full ring refuses until its reader has popped") {
  Pair pair(1000);
  const std::string bytes(200, 'b');
  uint32_t written = 0;
  for (uint32_t round = 0; round < 50; ++round) {
    const uint32_t first = written;
    while (pair.write(written, bytes))
      ++written;
    CHECK(written > first);
    CHECK((written - first) * (200 + sizeof(RecordHeader)) <= pair.data_bytes());
    CHECK(!pair.reader.was_empty());
    for (uint32_t i = first; i < written; ++i) {
      CHECK(pair.read() == std::to_string(i) + ":0:" + bytes);
    }
    CHECK(pair.read() == "");
  }
}

TEST_CASE("result ring: a peeked record keeps its space until it is popped") {
  Pair pair(1000);
  REQUIRE(pair.write(1, "keep"));
  auto record = pair.reader.peek();
  REQUIRE((record && *record));
  const std::string_view kept = (*record)->bytes;
  while (pair.write(2, std::string(100, 'z'))) {
  }
  CHECK(kept == "keep");
  record = pair.reader.peek();  // the same record again
  REQUIRE((record && *record));
  CHECK((*record)->bytes.data() == kept.data());
}

TEST_CASE("result ring: while the reader keeps up, the writer stays on its warm pages") {
  constexpr size_t kResult = 10'000;
  Pair pair(4 << 20);
  ptrdiff_t furthest = 0;
  for (uint32_t i = 0; i < 5000; ++i) {
    const char* room = pair.writer.try_reserve(kResult);
    REQUIRE(room != nullptr);
    furthest = std::max(furthest, room - reinterpret_cast<const char*>(pair.memory.bytes().data()));
    pair.writer.commit({i, i + 1}, 0, kResult, 0);
    REQUIRE(pair.read() != "");
  }
  CHECK(furthest < (256 << 10) + 2 * 10'240);
}

TEST_CASE("result ring: reset forgets everything that a dead worker left") {
  Pair pair(1000);
  for (uint32_t i = 0; i < 7; ++i) {
    REQUIRE(pair.write(i, "old"));
  }
  CHECK(pair.read() == "0:0:old");
  pair.reader.reset();
  CHECK(pair.reader.was_empty());
  CHECK(pair.read() == "");
  ResultWriter successor(pair.memory.bytes());
  REQUIRE(successor.try_reserve(3) != nullptr);
  std::memcpy(successor.try_reserve(3), "new", 3);
  successor.commit({8, 9}, 0, 3, 0);
  CHECK(pair.read() == "8:0:new");
}

TEST_CASE("result ring: committing more than was reserved breaks an invariant") {
  for (const size_t size : {11, 1000, 1 << 20}) {
    CHECK(test::is_broken_invariant([size] {
      Pair pair(1000);
      pair.writer.try_reserve(10);
      pair.writer.commit({1, 2}, 0, size, 0);
    }));
  }
  CHECK(test::is_broken_invariant([] {
    Pair pair(1000);
    pair.writer.try_reserve(10);
    pair.writer.commit({1, 2}, 0, 10, 0);
    pair.writer.commit({3, 4}, 0, 10, 0);  // the reservation is used up
  }));
}

TEST_CASE("result ring: random sizes between two threads arrive whole and in order") {
  constexpr uint32_t kRecords = 20'000;
  constexpr size_t kLongest = 3000;
  Pair pair(kLongest);
  const test::Deadline deadline;
  const auto size_of = [](uint32_t i) { return (i * 2654435761u >> 8) % (kLongest + 1); };
  const auto fill_of = [](uint32_t i) { return static_cast<char>(i * 31 + (i >> 8)); };
  std::jthread worker([&] {
    for (uint32_t i = 0; i < kRecords && !deadline.is_over();) {
      if (pair.write(i, std::string(size_of(i), fill_of(i)), static_cast<int32_t>(i))) {
        ++i;
      } else {
        std::this_thread::yield();
      }
    }
  });
  uint32_t read = 0;
  uint32_t wrong = 0;
  while (read < kRecords && !deadline.is_over()) {
    const auto record = pair.reader.peek();
    REQUIRE(record);
    if (!*record) {
      std::this_thread::yield();
      continue;
    }
    const ResultReader::Record& it = **record;
    const char fill = fill_of(read);
    const bool is_whole =
        it.id == Publication{read, read + 1} && it.code == static_cast<int32_t>(read) &&
        it.bytes.size() == size_of(read) &&
        std::all_of(it.bytes.begin(), it.bytes.end(), [fill](char c) { return c == fill; });
    wrong += !is_whole;
    pair.reader.pop();
    ++read;
  }
  CHECK(read == kRecords);
  CHECK(wrong == 0);
}

}  // namespace ringmaster::ipc
