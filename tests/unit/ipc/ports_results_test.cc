// MasterPort and WorkerPort across a real fork(): results that are long, many or damaged.
#include <csignal>
#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <thread>

#include "ipc/sample_ring.h"
#include "ports_support.h"

namespace ringmaster::ipc {

TEST_CASE("ports: a worker can map its own results only") {
  Floor floor(2);
  test::Child worker = floor.fork_worker(0, [&](WorkerPort& port) {
    ::signal(SIGBUS, SIG_DFL);  // not doctest's handler, which would report the signal
    char* const own = port.reserve(0) - sizeof(RecordHeader) - sizeof(ResultRingWords);
    const size_t all = worker_memory_bytes(floor.geometry.result_bytes);
    void* const grown = ::mremap(own, all, 2 * all, MREMAP_MAYMOVE);
    if (grown == MAP_FAILED) return 1;
    return int{static_cast<volatile char*>(grown)[all]} + 2;
  });
  CHECK(worker.signal() == SIGBUS);
}

TEST_CASE("ports: the results of 512 workers take memory that is used, and no descriptors") {
  test::Child master([] {
    constexpr rlim_t kDescriptors = 64;
    const rlimit limit{kDescriptors, kDescriptors};
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return 1;
    const Floor floor(1);
    Geometry geometry = floor.geometry;
    geometry.worker_slots = 512;
    Result<MasterPort> port = MasterPort::create(geometry);
    if (!port) return 2;
    for (uint32_t slot = 0; slot < geometry.worker_slots; ++slot) {
      if (!port->renew_results(slot)) return 3;
    }
    return port->was_any_result() ? 4 : 0;
  });
  CHECK(master.exit_code() == 0);
}

TEST_CASE("ports: a worker waits while its results are full, and loses none") {
  constexpr uint32_t kResults = 200;
  Floor floor;
  test::Child worker = floor.fork_worker(0, [](WorkerPort& port) {
    for (uint32_t i = 0; i < kResults; ++i) {
      char* room = port.reserve(1000 + i);
      if (room == nullptr) return 1;
      std::memset(room, 'r', 1000 + i);
      port.commit({0, i}, 0, 1000 + i, 0);
    }
    return 0;
  });
  const std::vector<Answer> answers = floor.wait_for(kResults);
  REQUIRE(answers.size() == kResults);
  for (uint32_t i = 0; i < kResults; ++i) {
    CHECK(answers[i] == Answer{0, {0, i}, 0, std::string(1000 + i, 'r')});
  }
  CHECK(worker.exit_code() == 0);
}

TEST_CASE("ports: the longest result fits, a longer one is refused at once") {
  Floor floor;
  test::Child worker = floor.fork_worker(0, [&](WorkerPort& port) {
    const size_t longest = floor.geometry.result_bytes;
    if (port.reserve(longest + 1) != nullptr) return 1;
    if (port.reserve(~size_t{0}) != nullptr) return 2;
    char* room = port.reserve(longest);
    if (room == nullptr) return 3;
    std::memset(room, 'L', longest);
    port.commit({1, 1}, 0, longest, 0);
    return 0;
  });
  const std::vector<Answer> answers = floor.wait_for(1);
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].text == std::string(floor.geometry.result_bytes, 'L'));
  CHECK(worker.exit_code() == 0);
}

TEST_CASE("ports: damaged results are an error that names their worker") {
  Floor floor;
  for (const uint32_t worker : {0u, 1u}) {
    const Region region = floor.results_of(worker);
    if (worker == 1) reinterpret_cast<ResultRingWords*>(region.data())->tail = 12345;
  }
  uint32_t damaged = 99;
  const auto ignore = [](uint32_t, const ResultReader::Record&) { return true; };
  const Status drained = floor.port.drain(ignore, ~uint64_t{0}, damaged);
  REQUIRE(!drained);
  CHECK(drained.error().exit_code == ExitCode::kInternal);
  CHECK(damaged == 1);
  floor.port.take_over(1);
  CHECK(floor.port.drain(ignore, ~uint64_t{0}, damaged));  // the slot's results are as new
}

TEST_CASE("ports: nothing is taken after a result that is refused") {
  Floor floor;
  for (const uint32_t slot : {0u, 1u}) {
    test::Child worker = floor.fork_worker(slot, [](WorkerPort& port) {
      for (uint32_t i = 0; i < 3; ++i) {
        port.reserve(0);
        port.commit({i, 1}, 0, 0, 0);
      }
      return 0;
    });
    CHECK(worker.exit_code() == 0);
  }
  std::vector<uint32_t> seen;
  const auto take = [&](uint32_t, const ResultReader::Record& record) {
    seen.push_back(record.id.job);
    return record.id.job != 1;
  };
  uint32_t damaged = 99;
  CHECK(!floor.port.drain(take, ~uint64_t{0}, damaged));
  CHECK(damaged == 0);
  CHECK(seen == std::vector<uint32_t>{0, 1});
}

TEST_CASE("ports: a drain ends after about as many bytes as it may take, or takes all results") {
  Floor floor(1);
  test::Child worker = floor.fork_worker(0, [](WorkerPort& port) {
    for (uint32_t i = 0; i < 10; ++i) {
      std::memcpy(port.reserve(84), std::string(84, 'x').data(), 84);  // 116 with the header
      port.commit({i, 1}, 0, 84, 0);
    }
    return 0;
  });
  CHECK(worker.exit_code() == 0);
  size_t count = 0;
  uint32_t damaged = 0;
  const auto take = [&](uint32_t, const ResultReader::Record& record) {
    CHECK(record.id.job == count++);
    return true;
  };
  REQUIRE(floor.port.drain(take, 250, damaged));
  CHECK(count == 3);
  CHECK(floor.port.was_any_result());
  REQUIRE(floor.port.drain(take, ~uint64_t{0}, damaged));
  CHECK(count == 10);
  CHECK(!floor.port.was_any_result());
}

TEST_CASE("ports: with a limit, the next results are taken from the next worker") {
  constexpr uint32_t kWorkers = 3;
  Floor floor(kWorkers);
  for (uint32_t slot = 0; slot < kWorkers; ++slot) {
    test::Child worker = floor.fork_worker(slot, [slot](WorkerPort& port) {
      for (uint32_t i = 0; i < 2; ++i) {
        char* const room = port.reserve(100);
        if (room == nullptr) return 1;
        std::memset(room, 'r', 100);
        port.commit({slot, i}, 0, 100, 0);
      }
      return 0;
    });
    REQUIRE(worker.exit_code() == 0);
  }
  std::vector<std::pair<uint32_t, uint32_t>> taken;  // a worker's slot, and its result
  const auto take = [&](uint32_t worker, const ResultReader::Record& record) {
    CHECK(record.id.job == worker);
    taken.emplace_back(worker, record.id.sequence);
    return true;
  };
  uint32_t damaged = 0;
  for (uint32_t turns = 1; turns <= 4; ++turns) {
    REQUIRE(floor.port.drain(take, 100, damaged));  // one result: its header counts, too
    CHECK(taken.size() == turns);
  }
  REQUIRE(floor.port.drain(take, ~uint64_t{0}, damaged));
  using Taken = decltype(taken);
  CHECK(taken == Taken{{0, 0}, {1, 0}, {2, 0}, {0, 1}, {1, 1}, {2, 1}});
}

}  // namespace ringmaster::ipc
