#include "master/rehearsal/rehearsal.h"

#include <doctest/doctest.h>
#include <optional>

#include "core_support.h"

namespace ringmaster::master {
namespace {

// A rehearsal of a few jobs whose results were "1", with a simulated worker.
class Rehearsed {
 public:
  explicit Rehearsed(size_t jobs, uint64_t limit_ms = 60'000) {
    RecentJob job;
    job.params = R"(["secret"])";
    job.result = "1";
    job.request = 17;
    RecentJobs::Kept kept(jobs, std::make_shared<const RecentJob>(job));
    worker.emplace(core, 0);
    rehearsal.emplace(core.loop.get(), core.dispatcher,
                      std::vector<Rehearsal::Part>{{&method, kept, true}}, limit_ms,
                      [this] { return pid; });
  }

  // The worker takes the next job.
  void begin_job() {
    core.loop.run_until([this] {
      CHECK_FALSE(rehearsal->advance());
      return core.dispatcher.in_flight() > 0;
    });
    worker->take();
  }
  void run_to_its_end() {
    core.loop.run_until([this] { return rehearsal->advance(); });
  }
  void run_job(std::string_view result) {
    begin_job();
    worker->commit(worker->in_hand().back(), result);
    CHECK(core.take_results());
    worker->finish();
  }
  void lose_worker(bool was_ended_by_us) {
    core.bury(0, was_ended_by_us);
    worker.emplace(core, 0);
  }

  Core core;
  const Method method{"score", {}, 60'000, 2, {RunStep{0}}};
  std::optional<Played> worker;
  std::optional<Rehearsal> rehearsal;
  pid_t pid = 1;
};

}  // namespace

TEST_CASE("rehearsal: jobs with the same answers pass") {
  Rehearsed it(2);
  it.run_job("1");
  it.run_job("1");
  CHECK_FALSE(it.rehearsal->advance());  // a thread compares them: the loop turns meanwhile
  it.run_to_its_end();
  CHECK(it.rehearsal->refusal() == "");
}

TEST_CASE("rehearsal: all jobs are run a second time before it refuses") {
  Rehearsed it(2);
  for (int run = 0; run < 2; ++run) {
    it.run_job("1");
    it.run_job("null");
  }
  it.run_to_its_end();
  CHECK(it.rehearsal->refusal() ==
        "the rehearsal of method score: 1 of 2 answers have another structure: result has null "
        "where there was number; for example request 17");
}

TEST_CASE("rehearsal: a worker that dies of a job is a reason at once") {
  Rehearsed it(2);
  it.begin_job();
  it.lose_worker(false);
  CHECK(it.rehearsal->advance());
  CHECK(it.rehearsal->refusal().find("the worker died (signal 9)") != std::string::npos);
}

TEST_CASE("rehearsal: a handler's message, which may repeat params, is not shown") {
  Rehearsed it(1);
  for (int run = 0; run < 2; ++run) {
    it.begin_job();
    it.worker->commit(it.worker->in_hand().back(), "no \"secret\"", rpc::kHandlerFailed);
    CHECK(it.core.take_results());
    it.worker->finish();
  }
  it.run_to_its_end();
  CHECK(it.rehearsal->refusal() ==
        "the rehearsal of method score: 1 of 1 jobs fail that had a result: error -32000 "
        "(handler_failed); for example request 17");
}

TEST_CASE("rehearsal: a job whose worker the master has ended is run once more") {
  Rehearsed it(1);
  it.begin_job();
  it.lose_worker(true);
  it.run_job("1");
  it.run_to_its_end();
  CHECK(it.rehearsal->refusal() == "");
}

TEST_CASE("rehearsal: no job begins while there is no worker") {
  Rehearsed it(1);
  it.pid = 0;
  CHECK_FALSE(it.rehearsal->advance());
  CHECK(it.core.dispatcher.in_flight() == 0);
  it.pid = 1;
  it.run_job("1");
  it.run_to_its_end();
}

TEST_CASE("rehearsal: out of time, it is cut short, and the jobs run so far are judged") {
  Rehearsed it(1, 0);
  it.run_to_its_end();
  CHECK(it.rehearsal->refusal() == "");
  CHECK(it.core.dispatcher.in_flight() == 0);
}

TEST_CASE("rehearsal: the end of a rehearsal ends its job") {
  Rehearsed it(1);
  CHECK_FALSE(it.rehearsal->advance());
  CHECK(it.core.dispatcher.in_flight() == 1);
  it.rehearsal.reset();
  CHECK(it.core.dispatcher.in_flight() == 0);
}

TEST_CASE("rehearsal: it may end while a thread compares an answer") {
  Rehearsed it(1);
  it.run_job("1");
  it.rehearsal.reset();  // the loop's end waits for the thread
}

}  // namespace ringmaster::master
