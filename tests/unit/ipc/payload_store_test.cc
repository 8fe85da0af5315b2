#include "ipc/payload_store.h"

#include <cstring>
#include <doctest/doctest.h>
#include <string>
#include <vector>

#include "support.h"

namespace ringmaster::ipc {
namespace {

Geometry geometry_of(uint32_t job_slots, uint64_t payload_bytes) {
  Geometry geometry;
  geometry.job_slots = job_slots;
  geometry.payload_bytes = payload_bytes;
  return geometry;
}

PayloadStore make_store(const Geometry& geometry) {
  Result<PayloadStore> store = PayloadStore::create(geometry);
  REQUIRE(store);
  return std::move(*store);
}

}  // namespace

TEST_CASE("payload store: a worker's read-only mapping has the stored bytes") {
  const Geometry geometry = geometry_of(100, 64 << 10);
  PayloadStore store = make_store(geometry);
  const Result<Region> worker =
      Region::map(store.memory_fd(), Access::kReadOnly, 0, geometry.payload_region_bytes());
  REQUIRE(worker);
  const std::string texts[] = {"{\"user_id\":42}", "", std::string(5000, 'x')};
  for (const std::string& text : texts) {
    const std::optional<Block> block = store.store(text);
    REQUIRE(block);
    const View view = store.view(*block, text.size());
    CHECK(std::string_view(reinterpret_cast<char*>(worker->data()) + view.offset, view.size) ==
          text);
  }
  store.header(99).deadline_ns = 7;
  CHECK(reinterpret_cast<JobHeader*>(worker->data())[99].deadline_ns == 7);
}

TEST_CASE("payload store: headers and blocks never touch, and stay inside of the region") {
  // 93 headers fill 3.996 pages: the last one ends just before the first block.
  const Geometry geometry = geometry_of(93, 8 << 10);
  PayloadStore store = make_store(geometry);
  std::vector<Block> blocks;
  while (const std::optional<Block> block = store.allocate(1))
    blocks.push_back(*block);
  CHECK(blocks.size() == 8);
  const auto* headers_end = reinterpret_cast<const char*>(&store.header(92) + 1);
  const auto* start = reinterpret_cast<const char*>(&store.header(0));
  for (const Block& block : blocks) {
    const std::span<char> bytes = store.writable(block);
    CHECK(bytes.data() >= headers_end);
    CHECK(bytes.data() - start == static_cast<ptrdiff_t>(store.view(block, 1).offset));
    const uint64_t padded_end = store.view(block, 0).offset + bytes.size() + kReadablePadding;
    CHECK(padded_end <= geometry.payload_region_bytes());
    std::memset(bytes.data(), 0xff, bytes.size());
  }
  for (uint32_t job = 0; job < 93; ++job) {
    CHECK(store.header(job).view_count == 0);
  }
}

TEST_CASE("payload store: a block has room for what was asked, and the padding behind it") {
  PayloadStore store = make_store(geometry_of(1, 1 << 20));
  for (const uint64_t bytes : {0, 1, 959, 960, 961, 1024, 100'000, 500'000}) {
    const std::optional<Block> block = store.allocate(bytes);
    REQUIRE(block);
    CHECK(block->size == PayloadStore::block_bytes(bytes));
    CHECK(store.writable(*block).size() >= bytes);
    CHECK(store.writable(*block).size() + kReadablePadding == block->size);
  }
}

TEST_CASE("payload store: a full store refuses, and gives out freed memory again") {
  PayloadStore store = make_store(geometry_of(1, 4 << 10));
  CHECK(!store.store(std::string(4 << 10, 'x')));  // there is no room for the padding
  const std::optional<Block> first = store.store(std::string(3 << 10, 'x'));
  REQUIRE(first);
  CHECK(!store.store(""));
  CHECK(store.used_bytes() == 4 << 10);
  store.free(*first);
  CHECK(store.used_bytes() == 0);
  CHECK(store.store("y"));
}

TEST_CASE("payload store: a header that does not exist breaks an invariant") {
  PayloadStore store = make_store(geometry_of(10, 4 << 10));
  CHECK(test::is_broken_invariant([&] { store.header(1 << 20); }));
  CHECK(test::is_broken_invariant([&] { store.header(~0u); }));
}

TEST_CASE(
    "payload store: memory that the system does not have is an error that says how much was asked "
    "for") {
  const Result<PayloadStore> store = PayloadStore::create(geometry_of(1, uint64_t{1} << 50));
  REQUIRE(!store);
  CHECK(store.error().exit_code == ExitCode::kResource);
  CHECK(store.error().message.find("1125899906846784 bytes") != std::string::npos);
}

}  // namespace ringmaster::ipc
