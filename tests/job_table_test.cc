#include <doctest/doctest.h>

#include "master/job.h"
#include "support.h"

namespace ringmaster::master {
namespace {

struct Tables {
  explicit Tables(uint32_t slots) : store(make_store(slots)), table(store, slots) {}
  static ipc::PayloadStore make_store(uint32_t slots) {
    ipc::Geometry geometry;
    geometry.job_slots = slots;
    geometry.payload_bytes = 64 << 10;
    return std::move(ipc::PayloadStore::create(geometry).value());
  }
  Job& admit() {
    Job* job = table.allocate();
    REQUIRE(job != nullptr);
    job->state = JobState::kQueued;
    return *job;
  }

  ipc::PayloadStore store;
  JobTable table;
};

}  // namespace

TEST_CASE("job table: as many jobs as slots, then none") {
  Tables tables(3);
  CHECK(tables.table.capacity() == 3);
  for (uint32_t i = 0; i < 3; ++i) {
    CHECK(tables.admit().id.job == i);  // the lowest slot first
    CHECK(tables.table.used() == i + 1);
  }
  CHECK(tables.table.allocate() == nullptr);
}

TEST_CASE("job table: invariant 2: only the id of a job that exists finds one") {
  Tables tables(2);
  CHECK(tables.table.find({0, 0}) == nullptr);
  Job& job = tables.admit();
  const ipc::JobId id = job.id;
  CHECK(tables.table.find(id) == &job);
  CHECK(tables.table.find({id.job, id.sequence + 1}) == nullptr);
  CHECK(tables.table.find({id.job, id.sequence - 1}) == nullptr);
  CHECK(tables.table.find({id.job + 1, id.sequence}) == nullptr);
  CHECK(tables.table.find({2, id.sequence}) == nullptr);
  CHECK(tables.table.find({~0u, id.sequence}) == nullptr);
  tables.table.free(job);
  CHECK(tables.table.find(id) == nullptr);
}

TEST_CASE("job table: a slot's next job has another id, and nothing of the last one") {
  Tables tables(1);
  const auto caller = std::shared_ptr<Caller>();
  Job& first = tables.admit();
  const ipc::JobId id = first.id;
  first.step = 3;
  first.attempts = 2;
  first.products.push_back({tables.store.store("params").value(), 6});
  tables.table.free(first);
  Job& second = tables.admit();
  CHECK(&second == &first);
  CHECK(second.id.job == id.job);
  CHECK(second.id.sequence != id.sequence);
  CHECK(tables.table.find(id) == nullptr);
  CHECK(second.step == 0);
  CHECK(second.attempts == 0);
  CHECK(second.products.empty());
}

TEST_CASE("job table: a job's blocks are freed with it, also where a product has none") {
  Tables tables(1);
  Job& job = tables.admit();
  job.products.push_back({tables.store.store("params").value(), 6});
  job.products.push_back({{}, 0});  // a body that never came
  job.products.push_back({tables.store.store(std::string(5000, 'x')).value(), 5000});
  CHECK(tables.store.used_bytes() == (1 << 10) + (5 << 10));
  tables.table.free(job);
  CHECK(tables.store.used_bytes() == 0);
}

TEST_CASE("job table: visits the used ones only") {
  Tables tables(4);
  tables.admit();
  Job& second = tables.admit();
  tables.admit();
  tables.table.free(second);
  std::vector<uint32_t> visited;
  tables.table.for_each_used([&](Job& job) { visited.push_back(job.id.job); });
  CHECK(visited == std::vector<uint32_t>{0, 2});
  CHECK(tables.table.used() == 2);
}

TEST_CASE("job table: freeing twice, or while somebody waits, breaks an invariant") {
  Tables tables(1);
  Job& job = tables.admit();
  struct Nobody : Caller {
    void answer_result(std::string_view) override {}
    void answer_error(const rpc::Error&) override {}
  };
  job.caller = std::make_shared<Nobody>();
  CHECK(test::is_broken_invariant([&] { tables.table.free(job); }));
  job.caller.reset();
  tables.table.free(job);
  CHECK(test::is_broken_invariant([&] { tables.table.free(job); }));
}

}  // namespace ringmaster::master
