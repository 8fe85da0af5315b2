// A worker that scribbles over its results can cause an error in the master, and no more.
// result_ring_fuzz.cc fills the region with noise.
#include <cstring>
#include <doctest/doctest.h>

#include "guarded_memory.h"
#include "ipc/result_ring.h"

namespace ringmaster::ipc {
namespace {

constexpr size_t kResultBytes = 1000;

struct Scribbled {
  Scribbled() : memory(result_region_bytes(kResultBytes)), reader(memory.bytes()) {}

  ResultRingWords& words() { return *reinterpret_cast<ResultRingWords*>(memory.bytes().data()); }
  std::span<std::byte> data() { return memory.bytes().subspan(sizeof(ResultRingWords)); }
  void write_header(uint64_t offset, const RecordHeader& header) {
    std::memcpy(data().data() + offset, &header, sizeof header);
  }
  bool is_damaged() { return !reader.peek(); }

  test::GuardedMemory memory;
  ResultReader reader;
};

}  // namespace

TEST_CASE("result ring: a tail that no writer could have stored is damage") {
  const uint64_t size = Scribbled().data().size();
  for (const uint64_t tail : {size + 32, 2 * size, ~uint64_t{0} - 31, uint64_t{1} << 63,
                              uint64_t{16}, uint64_t{33}, ~uint64_t{0}}) {
    Scribbled scribbled;
    scribbled.words().tail = tail;
    CAPTURE(tail);
    CHECK(scribbled.is_damaged());
    CHECK(scribbled.is_damaged());  // again; without a record, pop() frees nothing
    scribbled.reader.pop();
    CHECK(scribbled.words().head == 0);
  }
}

TEST_CASE("result ring: a skip must follow a record and end at the ring's end") {
  for (const uint32_t skipped : {0u, 32u, 1000u}) {
    CAPTURE(skipped);
    Scribbled scribbled;
    scribbled.write_header(0, {skipped, kSkip, 0, 0, 0});
    scribbled.words().tail = scribbled.data().size();
    CHECK(scribbled.is_damaged());
    scribbled.reader.pop();
    CHECK(scribbled.words().head == 0);
  }
  Scribbled whole;
  whole.write_header(
      0, {static_cast<uint32_t>(whole.data().size() - sizeof(RecordHeader)), kSkip, 0, 0, 0});
  whole.words().tail = whole.data().size();
  CHECK(whole.is_damaged());
}

TEST_CASE("result ring: a tail that went back is damage") {
  Scribbled scribbled;
  ResultWriter writer(scribbled.memory.bytes());
  for (uint32_t i = 0; i < 2; ++i) {
    REQUIRE(writer.try_reserve(100) != nullptr);
    writer.commit({i, i}, 0, 100, 0);
    REQUIRE(scribbled.reader.peek());
    scribbled.reader.pop();
  }
  scribbled.words().tail = 128;
  CHECK(scribbled.is_damaged());
}

TEST_CASE("result ring: a record that is longer than the published bytes is damage") {
  for (const uint32_t job : {1u, kSkip}) {
    for (const uint32_t size : {33u, 1000u, 0x7fffffffu, ~0u - 31, ~0u}) {
      Scribbled scribbled;
      scribbled.write_header(0, {size, job, 1, 0, 0});
      scribbled.words().tail = 64;
      CAPTURE(size);
      CHECK(scribbled.is_damaged());
      scribbled.reader.pop();  // frees nothing without a record
      CHECK(scribbled.words().head == 0);
    }
  }
}

TEST_CASE("result ring: a record that would run over the end of the ring is damage") {
  Scribbled scribbled;
  const uint64_t size = scribbled.data().size();
  const auto skip = static_cast<uint32_t>(size - 2 * sizeof(RecordHeader));
  scribbled.write_header(0, {skip, 1, 1, 0, 0});
  scribbled.write_header(size - sizeof(RecordHeader), {64, 1, 1, 0, 0});
  scribbled.words().tail = size - sizeof(RecordHeader);
  REQUIRE(scribbled.reader.peek());
  scribbled.reader.pop();
  scribbled.words().tail = size + 64;
  CHECK(scribbled.is_damaged());
}

TEST_CASE("result ring: the head in shared memory is not believed") {
  Scribbled scribbled;
  ResultWriter writer(scribbled.memory.bytes());
  REQUIRE(writer.try_reserve(3) != nullptr);
  writer.commit({1, 1}, 0, 3, 0);
  scribbled.words().head = uint64_t{1} << 40;
  const auto record = scribbled.reader.peek();
  REQUIRE((record && *record));
  CHECK((*record)->id == Publication{1, 1});
}

}  // namespace ringmaster::ipc
