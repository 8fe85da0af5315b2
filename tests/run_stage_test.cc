// Two run steps of one job, with two workers: what the first one leaves never harms the second.
#include <doctest/doctest.h>

#include "core_support.h"

namespace ringmaster::master {
namespace {

// A job whose first step worker 0 has answered without letting go of it, as in a batch, and whose
// second step worker 1 has in hand.
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
  // The second step is answered, once, and nobody has paid for it.
  void check_answered() {
    second.commit(second.in_hand()[0], "\"two\"");
    CHECK(core.take_results());
    CHECK(core.stage().audit());
    CHECK(client->results == std::vector<std::string>{"\"two\""});
    CHECK(client->errors.empty());
    CHECK(core.dispatcher.in_flight() == 0);
    CHECK(core.store.used_bytes() == 0);
  }

  std::vector<uint32_t> killed;
  Core core{[this](uint32_t worker) { killed.push_back(worker); }};
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
  CHECK(!steps.core.port->was_any_ready());  // it is not published a second time
  steps.check_answered();
}

TEST_CASE("run stage: a deadline ends the worker of this step, not the one of the step before") {
  TwoSteps steps(0);
  steps.core.ring_deadline(steps.ticket);
  CHECK(steps.killed == std::vector<uint32_t>{1});
  CHECK(steps.client->errors.size() == 1);
  CHECK(steps.core.bury(1, true).size() == 1);
  CHECK(steps.core.dispatcher.in_flight() == 0);
}

TEST_CASE("run stage: a handler that has answered and does not return is ended at the next step") {
  TwoSteps steps;
  CHECK(steps.core.stage().audit());
  CHECK(steps.killed.empty());
  CHECK(steps.core.stage().audit());
  CHECK(steps.killed == std::vector<uint32_t>{0});
  CHECK(steps.core.bury(0, true).empty());
  steps.check_answered();
}

TEST_CASE("run stage: a result of a former publication is damage") {
  TwoSteps steps;
  steps.first.commit(steps.first.in_hand()[0], "\"again\"");
  CHECK(!steps.core.take_results());
  CHECK(steps.client->answers() == 0);
}

TEST_CASE("run stage: of a damaged generation nothing is taken, and nothing is given to it") {
  TwoSteps steps(60'000, 2);
  steps.first.commit({15, 1}, "\"forged\"");
  steps.second.commit(steps.second.in_hand()[0], "\"after it\"");
  CHECK(!steps.core.take_results());
  CHECK(!steps.core.take_results());
  CHECK(!steps.core.stage().audit());
  const auto late = std::make_shared<Client>();
  CHECK(steps.core.dispatcher.admit(steps.method, "[2]", std::nullopt, late));
  CHECK(!steps.core.port->was_any_ready());
  steps.core.lose_generation();
  CHECK(steps.client->answers() == 0);

  steps.core.start_generation();
  for (const char* text : {"\"1\"", "\"2\"", "\"3\""}) {  // the lost step, then two of the late one
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

TEST_CASE("run stage: whoever has its worker ended for another job has still used an attempt") {
  for (const uint64_t attempts : {uint64_t{1}, uint64_t{2}}) {
    CAPTURE(attempts);
    TwoSteps steps(60'000, attempts);
    CHECK(steps.core.bury(1, true).size() == 1);
    CHECK(steps.core.port->was_any_ready() == (attempts == 2));
    CHECK(steps.client->errors.size() == (attempts == 2 ? 0 : 1));
  }
}

}  // namespace ringmaster::master
