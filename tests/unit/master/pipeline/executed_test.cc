// `executed` in every error of an admitted job: "unknown" from the moment at which a worker may
// have begun any attempt of any step, and false before. Each row is one way in which a job can end.
#include <doctest/doctest.h>
#include <functional>

#include "core_support.h"
#include "ipc/result_code.h"
#include "request_support.h"

namespace ringmaster::master {
namespace {

const FetchStep kFetchOfNothing{0, test::with_body(R"({"a":"${params.missing}"})")};

const Method kOne{"one", {}, 0, 2, {RunStep{0}}};
const Method kTwo{"two", {}, 0, 2, {RunStep{0}, RunStep{1}}};
const Method kOnce{"once", {}, 0, 1, {RunStep{0}}};
const Method kRunThenFetch{"run-fetch", {}, 0, 1, {RunStep{0}, kFetchOfNothing}};
const Method kFetchThenRun{"fetch-run", {}, 0, 1, {kFetchOfNothing, RunStep{0}}};

constexpr bool kNo = false;
constexpr bool kUnknown = true;

struct Scene {
  Core core;
  std::shared_ptr<Client> client = std::make_shared<Client>();
  std::optional<Ticket> ticket;
  std::optional<rpc::Executed> cancelled;

  // A new worker's claim of the job.
  Played take(uint32_t slot = 0) {
    Played worker(core, slot);
    worker.take();
    return worker;
  }
  void answer(std::string_view text, int32_t code = 0, uint64_t run_ns = 0) {
    Played worker = take();
    worker.commit(worker.in_hand()[0], text, code, run_ns);
    CHECK(core.take_results());
    worker.finish();
  }
  void die(bool was_ended_by_us = false) {
    take(1);
    CHECK(core.bury(1, was_ended_by_us).size() == 1);
  }
  void expire() { core.dispatcher.expire(*ticket); }
  void cancel() { cancelled = core.dispatcher.cancel(*ticket); }
  void shut_down() {
    core.dispatcher.cut_off_all(rpc::make_error(rpc::kShuttingDown, "shutting_down", "the end"));
  }
  void lose_generation() {
    core.lose_generation();
    core.start_generation();
  }
  void fill_payload_memory() {
    while (core.store.allocate(100)) {
    }
  }
};

struct Row {
  const char* way;
  const Method& method;
  bool executed;
  std::function<void(Scene&)> play;
};

const Row kRows[] = {
    // The job waits.
    {"deadline in the ring", kOne, kNo, [](Scene& s) { s.expire(); }},
    {"cancelled in the ring", kOne, kNo, [](Scene& s) { s.cancel(); }},
    {"shutdown in the ring", kOne, kNo, [](Scene& s) { s.shut_down(); }},
    {"deadline after its generation was lost, unclaimed", kOne, kNo,
     [](Scene& s) {
       s.lose_generation();
       s.expire();
     }},
    {"deadline while there is no generation", kOne, kNo,
     [](Scene& s) {
       s.core.lose_generation();
       s.expire();
     }},
    {"deadline after a worker gave it back", kOne, kNo,
     [](Scene& s) {
       Played worker(s.core, 0);
       CHECK(worker.try_claim());
       worker.give_back();
       s.expire();
     }},
    {"fetch failed before any run", kFetchThenRun, kNo, [](Scene&) {}},
    // A worker has refused the job without calling the handler.
    {"too late for its worker", kOne, kNo,
     [](Scene& s) { s.answer("late", ipc::kResultTooLate, ipc::kNotRun); }},
    {"params that do not fit", kOne, kNo,
     [](Scene& s) { s.answer("params/a", rpc::kInvalidParams, ipc::kNotRun); }},
    {"params that do not fit, found after a while", kOne, kNo,
     [](Scene& s) { s.answer("params/a", rpc::kInvalidParams, ipc::not_called(25'000'000)); }},
    // A worker has the job, or had it.
    {"deadline once claimed", kOne, kUnknown,
     [](Scene& s) {
       Played worker(s.core, 0);
       CHECK(worker.try_claim());
       s.expire();
     }},
    {"cancelled once claimed", kOne, kUnknown,
     [](Scene& s) {
       s.take();
       s.cancel();
     }},
    {"shutdown once claimed", kOne, kUnknown,
     [](Scene& s) {
       s.take();
       s.shut_down();
     }},
    {"the handler's error", kOne, kUnknown, [](Scene& s) { s.answer("no luck", 7); }},
    {"params that the handler refuses", kOne, kUnknown,
     [](Scene& s) { s.answer("user_id", rpc::kInvalidParams); }},
    {"a body that the handler refuses", kOne, kUnknown,
     [](Scene& s) { s.answer("field", rpc::kUpstreamFailed); }},
    {"too late, says the handler", kOne, kUnknown,
     [](Scene& s) { s.answer("late", ipc::kResultTooLate); }},
    {"result too large", kOne, kUnknown, [](Scene& s) { s.answer("big", ipc::kResultTooLarge); }},
    {"result invalid", kOne, kUnknown, [](Scene& s) { s.answer("bad", ipc::kResultInvalid); }},
    {"its worker died", kOnce, kUnknown, [](Scene& s) { s.die(); }},
    {"its worker was ended for another job", kOnce, kUnknown, [](Scene& s) { s.die(true); }},
    {"its generation was lost", kOnce, kUnknown,
     [](Scene& s) {
       s.take();
       s.lose_generation();
     }},
    // A former attempt was begun; the present one was not.
    {"deadline before the second attempt", kOne, kUnknown,
     [](Scene& s) {
       s.die();
       s.expire();
     }},
    {"cancelled before the second attempt", kOne, kUnknown,
     [](Scene& s) {
       s.die();
       s.cancel();
     }},
    {"shutdown before the second attempt", kOne, kUnknown,
     [](Scene& s) {
       s.die();
       s.shut_down();
     }},
    {"deadline after its worker was ended for another job", kOne, kUnknown,
     [](Scene& s) {
       s.die(true);
       s.expire();
     }},
    {"deadline after its generation was lost in mid-run", kOne, kUnknown,
     [](Scene& s) {
       s.take();
       s.lose_generation();
       s.expire();
     }},
    {"second attempt too late for its worker", kOne, kUnknown,
     [](Scene& s) {
       s.die();
       s.answer("late", ipc::kResultTooLate, ipc::kNotRun);
     }},
    {"params that do not fit, after a death", kOne, kUnknown,
     [](Scene& s) {
       s.die();
       s.answer("params/a", rpc::kInvalidParams, ipc::kNotRun);
     }},
    // A former step was run.
    {"deadline before the second step", kTwo, kUnknown,
     [](Scene& s) {
       s.answer("1");
       s.expire();
     }},
    {"cancelled before the second step", kTwo, kUnknown,
     [](Scene& s) {
       s.answer("1");
       s.cancel();
     }},
    {"second step too late for its worker", kTwo, kUnknown,
     [](Scene& s) {
       s.answer("1");
       s.answer("late", ipc::kResultTooLate, ipc::kNotRun);
     }},
    {"params that do not fit the second step, found after a while", kTwo, kUnknown,
     [](Scene& s) {
       s.answer("1");
       s.answer("params/a", rpc::kInvalidParams, ipc::not_called(25'000'000));
     }},
    {"params that do not fit the second step", kTwo, kUnknown,
     [](Scene& s) {
       s.answer("1");
       s.answer("params/a", rpc::kInvalidParams, ipc::kNotRun);
     }},
    {"no payload memory for the first step's result", kTwo, kUnknown,
     [](Scene& s) {
       s.fill_payload_memory();
       s.answer("1");
     }},
    {"fetch failed after a run", kRunThenFetch, kUnknown, [](Scene& s) { s.answer("1"); }},
};

}  // namespace

TEST_CASE("executed: unknown once any attempt of any step may have begun, false before") {
  for (const Row& row : kRows) {
    CAPTURE(row.way);
    Scene scene;
    const std::string_view found[] = {""};
    scene.ticket = scene.core.dispatcher.admit(row.method, "{}", std::nullopt, scene.client,
                                               nullptr, {.found = found});
    row.play(scene);
    const rpc::Executed expected = row.executed ? rpc::Executed::kUnknown : rpc::Executed::kNo;
    if (scene.cancelled) {
      CHECK(*scene.cancelled == expected);
      CHECK(scene.client->answers() == 0);
    } else {
      REQUIRE(scene.client->errors.size() == 1);
      CHECK(scene.client->errors[0].executed == expected);
      CHECK(scene.client->results.empty());
    }
  }
}

TEST_CASE("executed: false where a request is refused") {
  Core core;
  for (uint32_t i = 0; i < Core::geometry().job_slots; ++i) {
    REQUIRE(core.dispatcher.admit(kOne, "{}", std::nullopt, std::make_shared<Client>()));
  }
  const auto refused = std::make_shared<Client>();
  CHECK(!core.dispatcher.admit(kOne, "{}", std::nullopt, refused));
  REQUIRE(refused->errors.size() == 1);
  CHECK(refused->errors[0].reason == "queue_full");
  CHECK(refused->errors[0].executed == rpc::Executed::kNo);
}

TEST_CASE("executed: false for the next job of a slot whose last job was run") {
  Scene scene;
  scene.ticket = scene.core.dispatcher.admit(kOne, "{}", std::nullopt, scene.client);
  scene.answer("1");
  CHECK(scene.client->results.size() == 1);
  scene.ticket = scene.core.dispatcher.admit(kOne, "{}", std::nullopt, scene.client);
  scene.expire();
  REQUIRE(scene.client->errors.size() == 1);
  CHECK(scene.client->errors[0].executed == rpc::Executed::kNo);
}

}  // namespace ringmaster::master
