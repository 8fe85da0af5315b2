#include <doctest/doctest.h>

#include "master/pipeline/job.h"
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
    CHECK(tables.admit().ticket.slot == i);  // the lowest slot first
    CHECK(tables.table.used() == i + 1);
  }
  CHECK(tables.table.allocate() == nullptr);
}

TEST_CASE("job table: only the ticket of a job that exists finds one") {
  Tables tables(2);
  CHECK(tables.table.find({0, 0}) == nullptr);
  Job& job = tables.admit();
  const Ticket ticket = job.ticket;
  CHECK(tables.table.find(ticket) == &job);
  CHECK(tables.table.find({ticket.slot, ticket.request + 1}) == nullptr);
  CHECK(tables.table.find({ticket.slot, ticket.request - 1}) == nullptr);
  CHECK(tables.table.find({ticket.slot + 1, ticket.request}) == nullptr);
  tables.table.free(job);
  CHECK(tables.table.find(ticket) == nullptr);
}

TEST_CASE("job table: invariant 2: only the present publication of a published job finds it") {
  Tables tables(2);
  CHECK(tables.table.find_published({0, 0}) == nullptr);
  Job& job = tables.admit();
  CHECK(tables.table.find_published(job.publication) == nullptr);  // queued
  for (const JobState state : {JobState::kPublished, JobState::kAbandoned}) {
    job.state = state;
    const ipc::Publication id = job.publication = {job.ticket.slot, job.publication.sequence + 1};
    CHECK(tables.table.find_published(id) == &job);
    CHECK(tables.table.find_published({id.job, id.sequence + 1}) == nullptr);
    CHECK(tables.table.find_published({id.job, id.sequence - 1}) == nullptr);
    CHECK(tables.table.find_published({id.job + 1, id.sequence}) == nullptr);
    CHECK(tables.table.find_published({2, id.sequence}) == nullptr);
    CHECK(tables.table.find_published({~0u, id.sequence}) == nullptr);
  }
  job.state = JobState::kFetching;
  CHECK(tables.table.find_published(job.publication) == nullptr);
}

TEST_CASE("job table: a slot's next job has another ticket, and nothing of the last one") {
  Tables tables(1);
  const auto caller = std::shared_ptr<Caller>();
  Job& first = tables.admit();
  const Ticket ticket = first.ticket;
  const ipc::Publication id = first.publication = {ticket.slot, 7};
  first.has_begun = true;
  first.step = 3;
  first.attempts = 2;
  first.products.push_back({tables.store.store("params").value(), 6});
  tables.table.free(first);
  Job& second = tables.admit();
  CHECK(&second == &first);
  CHECK(second.ticket.slot == ticket.slot);
  CHECK(second.ticket.request != ticket.request);
  CHECK(tables.table.find(ticket) == nullptr);
  CHECK(second.publication == id);  // so the slot's next publication is new to the workers
  CHECK(!second.has_begun);
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

TEST_CASE("job table: for_each_used() visits only slots that have a job") {
  Tables tables(4);
  tables.admit();
  Job& second = tables.admit();
  tables.admit();
  tables.table.free(second);
  std::vector<uint32_t> visited;
  tables.table.for_each_used([&](Job& job) { visited.push_back(job.ticket.slot); });
  CHECK(visited == std::vector<uint32_t>{0, 2});
  CHECK(tables.table.used() == 2);
}

TEST_CASE("job table: to free a job twice, or while its caller waits, breaks an invariant") {
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
