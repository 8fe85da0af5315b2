// Two run steps of one job, with two workers: words and results of the first never harm the second.
#include <deque>
#include <doctest/doctest.h>

#include "base/clock.h"
#include "core_support.h"

namespace ringmaster::master {
namespace {

// A job with two steps. Worker 0 has answered the first step and still has it in hand, as in a
// batch. Worker 1 has the second step in hand.
struct TwoSteps {
  explicit TwoSteps(uint64_t timeout_ms = 60'000, uint64_t attempts = 1)
      : method{"two", {}, timeout_ms, attempts, {RunStep{0}, RunStep{1}}} {
    ticket = core.dispatcher.admit(method, "[1]", std::nullopt, client).value();
    first.take();
    first.commit(first.in_hand()[0], "\"one\"");
    CHECK(core.take_results());
    second.take();
    CHECK(second.in_hand()[0].job == first.in_hand()[0].job);
    CHECK(second.in_hand()[0] != first.in_hand()[0]);
  }
  // Answers the second step. The client has one answer, and no attempt was used up.
  void check_answered() {
    second.commit(second.in_hand()[0], "\"two\"");
    CHECK(core.take_results());
    CHECK(core.audit());
    CHECK(client->results == std::vector<std::string>{"\"two\""});
    CHECK(client->errors.empty());
    CHECK(core.dispatcher.in_flight() == 0);
    CHECK(core.store.used_bytes() == 0);
  }

  std::vector<uint32_t> killed;
  Core core{[this](uint32_t worker, const char*) { killed.push_back(worker); }};
  Method method;
  std::shared_ptr<Client> client = std::make_shared<Client>();
  Ticket ticket;
  Played first{core, 0};
  Played second{core, 1};
};

}  // namespace

TEST_CASE("run stage: a worker that dies after its step's answer takes nothing of the next step") {
  TwoSteps steps;
  CHECK(steps.core.bury(0).empty());
  CHECK(!steps.core.port->was_any_ready());  // the job is not published again
  steps.check_answered();
}

TEST_CASE("run stage: a deadline ends the worker of this step, not the one of the step before") {
  TwoSteps steps(0);
  steps.core.dispatcher.expire(steps.ticket);
  CHECK(steps.killed == std::vector<uint32_t>{1});
  CHECK(steps.client->errors.size() == 1);
  CHECK(steps.core.bury(1, true).size() == 1);
  CHECK(steps.core.dispatcher.in_flight() == 0);
}

TEST_CASE("run stage: a worker that is not found at the deadline is ended by the next audit") {
  std::vector<uint32_t> killed;
  Core core([&](uint32_t worker, const char*) { killed.push_back(worker); });
  const Method method{"endless", {}, 0, 1, {RunStep{0}}};
  const auto client = std::make_shared<Client>();
  const Ticket ticket = core.dispatcher.admit(method, "[1]", std::nullopt, client).value();
  Played worker(core, 0);
  REQUIRE(worker.try_claim());
  // The master looks for the job, worker by worker, while one gives it back and another claims it.
  const ipc::JobWord word = core.words->entries[worker.claim().entry].exchange(ipc::kFreeWord);
  core.dispatcher.expire(ticket);
  core.words->entries[worker.claim().entry] = word;
  CHECK(client->errors.size() == 1);
  CHECK(killed.empty());
  worker.store_running();
  worker.release();
  CHECK(core.audit());
  CHECK(killed == std::vector<uint32_t>{0});
  CHECK(core.bury(0, true).size() == 1);
  CHECK(core.dispatcher.in_flight() == 0);
}

TEST_CASE("run stage: a handler that has answered and does not return is ended; its job goes on") {
  TwoSteps steps;
  CHECK(steps.core.audit());
  CHECK(steps.killed.empty());
  CHECK(steps.core.audit());
  CHECK(steps.killed == std::vector<uint32_t>{0});
  CHECK(steps.core.bury(0, true).empty());
  steps.check_answered();
}

TEST_CASE("run stage: the time to check refused params is charged, and expected of the next job") {
  constexpr uint64_t kTookNs = 2 * kNsPerMs;
  struct Row {
    const char* what;
    uint64_t run_ns;
    uint64_t least_ns;
    uint64_t most_ns;
  };
  const Row rows[] = {
      {"checked", ipc::not_called(kTookNs), kTookNs, kTookNs},
      {"not checked", ipc::kNotRun, 0, 0},
      {"more than there was", ipc::not_called(~uint64_t{0} / 4), kTookNs, 3600 * kNsPerS},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Core core;
    const Method method{"checked", {}, 0, 1, {RunStep{0}}};
    const auto client = std::make_shared<Client>();
    CHECK(core.dispatcher.admit(method, "[1]", std::nullopt, client));
    Played worker(core, 0);
    worker.take();
    const uint64_t until = now_ns() + 2 * kTookNs;
    while (now_ns() < until) {
    }
    worker.commit(worker.in_hand()[0], "params/0", rpc::kInvalidParams, row.run_ns);
    CHECK(core.take_results());
    worker.finish();
    REQUIRE(client->errors.size() == 1);
    CHECK(client->errors[0].executed == rpc::Executed::kNo);
    // The next one is expected to take as long.
    CHECK(core.dispatcher.admit(method, "[1]", std::nullopt, client));
    CHECK(core.stage().work_ns() >= row.least_ns);
    CHECK(core.stage().work_ns() <= row.most_ns);
  }
}

TEST_CASE("run stage: each free worker gets a whole batch, also if others have many jobs") {
  constexpr size_t kBatch = 4;
  Core core;
  const Method method{"model", {}, 60'000, 2, {RunStep{0, kBatch}}};
  const auto client = std::make_shared<Client>();
  core.stage().set_workers(0);
  for (size_t i = 0; i < Core::kWorkers * kBatch; ++i)
    REQUIRE(core.dispatcher.admit(method, "[1]", std::nullopt, client));
  core.stage().set_workers(Core::kWorkers);
  std::deque<Played> workers;
  for (uint32_t slot = 0; slot < Core::kWorkers; ++slot) {
    Played& worker = workers.emplace_back(core, slot);
    while (core.port->was_any_ready())
      worker.take();
    CHECK(worker.in_hand().size() == kBatch);
    CHECK(core.take_results());  // the ring has room for a batch again
  }
  for (Played& worker : workers) {
    for (const ipc::Publication id : worker.in_hand())
      worker.commit(id, "1");
    CHECK(core.take_results());
    worker.finish();
  }
  CHECK(client->results.size() == Core::kWorkers * kBatch);
}

TEST_CASE("run stage: a worker is told to take a long batch as a whole, and to share short jobs") {
  struct Row {
    uint64_t run_ns;  // of a job
    uint32_t told;
  };
  for (const Row row : {Row{2 * kNsPerMs, 2}, Row{1000, 0}}) {
    CAPTURE(row.run_ns);
    Core core;
    const Method method{"model", {}, 60'000, 2, {RunStep{0, 2}}};
    const auto client = std::make_shared<Client>();
    core.stage().set_workers(1);
    REQUIRE(core.dispatcher.admit(method, "[1]", std::nullopt, client));
    Played worker(core, 0);
    worker.take();
    CHECK(core.store.header(worker.in_hand()[0].job).taken_together == 0);  // its time is unknown
    const uint64_t until = now_ns() + row.run_ns;
    while (now_ns() < until) {
    }
    worker.commit(worker.in_hand()[0], "1", 0, row.run_ns);
    worker.finish();
    core.stage().set_workers(0);
    CHECK(core.take_results());
    for (int i = 0; i < 2; ++i)
      REQUIRE(core.dispatcher.admit(method, "[1]", std::nullopt, client));
    core.stage().set_workers(1);
    while (core.port->was_any_ready()) {
      worker.take();
      CHECK(core.store.header(worker.in_hand().back().job).taken_together == row.told);
    }
    REQUIRE(worker.in_hand().size() == 2);
    for (const ipc::Publication id : worker.in_hand())
      worker.commit(id, "1");
    CHECK(core.take_results());
    worker.finish();
    CHECK(client->results.size() == 3);
  }
}

TEST_CASE("run stage: a result of a former publication is damage") {
  TwoSteps steps;
  steps.first.commit(steps.first.in_hand()[0], "\"again\"");
  CHECK(!steps.core.take_results());
  CHECK(steps.client->answers() == 0);
}

TEST_CASE("run stage: a damaged generation gives no more results, and gets no more jobs") {
  TwoSteps steps(60'000, 2);
  steps.first.commit({15, 1}, "\"forged\"");
  steps.second.commit(steps.second.in_hand()[0], "\"after it\"");
  CHECK(!steps.core.take_results());
  CHECK(!steps.core.take_results());
  CHECK(!steps.core.audit());
  CHECK(steps.core.damages.size() == 1);
  const auto late = std::make_shared<Client>();
  CHECK(steps.core.dispatcher.admit(steps.method, "[2]", std::nullopt, late));
  CHECK(!steps.core.port->was_any_ready());
  steps.core.lose_generation();
  CHECK(steps.client->answers() == 0);

  steps.core.start_generation();
  for (const char* text : {"\"1\"", "\"2\"", "\"3\""}) {  // the lost step, then both of `late`
    Played worker(steps.core, 2);
    worker.take();
    worker.commit(worker.in_hand()[0], text);
    CHECK(steps.core.take_results());
    worker.finish();
  }
  CHECK(steps.client->answers() == 1);
  CHECK(late->answers() == 1);
  CHECK(steps.core.dispatcher.in_flight() == 0);
}

TEST_CASE("run stage: a job that no worker has claimed keeps its attempts with a new generation") {
  Core core;
  const Method method{"once", {}, 60'000, 1, {RunStep{0}}};
  const auto client = std::make_shared<Client>();
  REQUIRE(core.dispatcher.admit(method, "[1]", std::nullopt, client));
  for (int generations = 0; generations < 2; ++generations) {
    REQUIRE(core.port->was_any_ready());
    core.lose_generation();
    core.start_generation();
  }
  Played worker(core, 0);
  worker.take();
  worker.commit(worker.in_hand()[0], "\"done\"");
  CHECK(core.take_results());
  CHECK(client->results == std::vector<std::string>{"\"done\""});
}

TEST_CASE("run stage: a job that is dropped from the ring makes room for the next at once") {
  Core core;
  core.stage().set_workers(1);
  const Method method{"long", {}, 60'000, 1, {RunStep{0}}};
  const auto admit = [&] {
    return core.dispatcher.admit(method, "[1]", std::nullopt, std::make_shared<Client>()).value();
  };
  const Ticket first = admit();
  const ipc::Publication id = core.port->was_ready().value();
  admit();
  REQUIRE(core.words->ring.were_ready() == 1);
  core.dispatcher.cancel(first);
  REQUIRE(core.port->was_any_ready());
  CHECK(core.port->was_ready() != id);
}

TEST_CASE("run stage: in damaged memory a job that looks unclaimed may have been run") {
  Core core;
  const Method method{"once", {}, 60'000, 1, {RunStep{0}}};
  const auto client = std::make_shared<Client>();
  REQUIRE(core.dispatcher.admit(method, "[1]", std::nullopt, client));
  Played forger(core, 0);
  forger.commit({15, 1}, "\"forged\"");
  CHECK(!core.take_results());
  CHECK(core.port->was_any_ready());
  core.lose_generation();
  REQUIRE(client->errors.size() == 1);
  CHECK(client->errors[0].executed == rpc::Executed::kUnknown);
}

TEST_CASE("run stage: a job whose worker was ended for another job has used an attempt") {
  for (const uint64_t attempts : {uint64_t{1}, uint64_t{2}}) {
    CAPTURE(attempts);
    TwoSteps steps(60'000, attempts);
    CHECK(steps.core.bury(1, true).size() == 1);
    CHECK(steps.core.port->was_any_ready() == (attempts == 2));
    REQUIRE(steps.client->errors.size() == (attempts == 2 ? 0 : 1));
    // The job's handler has not crashed: another try can help.
    if (attempts == 1) CHECK(steps.client->errors[0].retryable);
  }
}

TEST_CASE("run stage: the crashes of one step are not those of the next") {
  Core core;
  const Method method{"two", {}, 60'000, 2, {RunStep{0}, RunStep{1}}};
  const auto client = std::make_shared<Client>();
  REQUIRE(core.dispatcher.admit(method, "[1]", std::nullopt, client));
  Played crashes(core, 0), first(core, 1), second(core, 2);
  crashes.take();
  CHECK(core.bury(0).size() == 1);
  first.take();
  first.commit(first.in_hand()[0], "\"one\"");
  CHECK(core.take_results());
  first.finish();
  first.take();
  CHECK(core.bury(1, true).size() == 1);
  second.take();
  CHECK(core.bury(2, true).size() == 1);
  REQUIRE(client->errors.size() == 1);
  CHECK(client->errors[0].retryable);
}

TEST_CASE("run stage: a job whose result came before its generation was lost is not run again") {
  TwoSteps steps(60'000, 2);
  steps.second.commit(steps.second.in_hand()[0], "\"two\"");
  steps.core.lose_generation();
  CHECK(steps.client->results == std::vector<std::string>{"\"two\""});
  CHECK(steps.core.dispatcher.in_flight() == 0);
}

TEST_CASE("run stage: a job whose client has its answer is not run again when its worker dies") {
  TwoSteps steps(0, 2);
  steps.core.dispatcher.expire(steps.ticket);
  REQUIRE(steps.client->errors.size() == 1);
  CHECK(steps.core.bury(1).size() == 1);
  CHECK(!steps.core.port->was_any_ready());
  CHECK(steps.core.dispatcher.in_flight() == 0);
}

}  // namespace ringmaster::master
