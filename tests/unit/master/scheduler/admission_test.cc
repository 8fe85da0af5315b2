#include "master/scheduler/admission.h"

#include <doctest/doctest.h>
#include <vector>

namespace ringmaster::master {
namespace {

constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kNow = 1'000'000 * kMs;

Method running() {
  Method method;
  method.steps = {RunStep{0}};
  return method;
}

Method fetching() {
  Method method;
  method.steps = {FetchStep{0, {}}, RunStep{0}};
  return method;
}

void learn_run(Admission& admission, const Method& method, uint64_t ms) {
  for (int i = 0; i < 100; ++i)
    admission.on_run(method.steps.back(), ms * kMs);
}

void learn_fetch(Admission& admission, const Method& method, uint64_t ms) {
  for (int i = 0; i < 100; ++i)
    admission.on_fetched(method.steps.front(), ms * kMs);
}

// Jobs that wait for a worker.
std::vector<Admission::Load> queue(Admission& admission, const Method& method, size_t count,
                                   uint64_t deadline_ms) {
  std::vector<Admission::Load> loads(count);
  for (Admission::Load& load : loads)
    admission.on_queued(load, method, 0, kNow + deadline_ms * kMs);
  return loads;
}

std::optional<Admission::Refusal> predict(const Admission& admission, const Method& method,
                                          uint64_t allowed_ms) {
  return admission.predict(method, kNow, kNow + allowed_ms * kMs);
}

}  // namespace

TEST_CASE("average: the first sample is believed, then it follows slowly") {
  MovingAverage average;
  CHECK(!average.is_known());
  average.add(100);
  CHECK(average.mean() == 100);
  CHECK(average.deviation() == 0);
  average.add(200);
  CHECK(average.mean() == 150);
  for (int i = 0; i < 200; ++i)
    average.add(300);
  CHECK(average.mean() == doctest::Approx(300));
  CHECK(average.deviation() < 1);
  average.add(1100);
  CHECK(average.mean() == doctest::Approx(350));
  CHECK(average.deviation() == doctest::Approx(50).epsilon(0.1));
}

TEST_CASE("admission: while nothing is known, nothing is refused") {
  Admission admission;
  const Method method = running();
  const auto loads = queue(admission, method, 1000, 10);
  CHECK(!predict(admission, method, 10));
  CHECK(!admission.next_done_ns());
}

TEST_CASE("admission: what waits is shared by the workers, and may take twice as long") {
  Admission admission;
  const Method method = running();
  admission.set_workers(2);
  learn_run(admission, method, 30);
  const auto loads = queue(admission, method, 20, 600);  // 300 ms for two workers
  CHECK(!predict(admission, method, 631));
  const auto refusal = predict(admission, method, 629);
  REQUIRE(refusal);
  CHECK(refusal->predicted_ns == doctest::Approx(630 * kMs).epsilon(0.001));
  CHECK(*admission.next_done_ns() == doctest::Approx(15 * kMs).epsilon(0.001));
}

TEST_CASE("admission: after retry_after, if no other comes, the same request is let in") {
  Admission admission;
  const Method method = running();
  admission.set_workers(2);
  learn_run(admission, method, 30);
  auto loads = queue(admission, method, 100, 900);
  const auto refusal = predict(admission, method, 1000);
  REQUIRE(refusal);
  // 1500 ms wait, 3030 predicted, 1000 allowed: 1015 ms of waiting less will do.
  CHECK(refusal->retry_after_ns == doctest::Approx(1015 * kMs).epsilon(0.001));
  const size_t done = 2 * refusal->retry_after_ns / (30 * kMs) + 1;
  for (size_t i = 0; i < done; ++i)
    admission.on_ended(loads[i]);
  CHECK(!predict(admission, method, 1000));
}

TEST_CASE("admission: a request that finds an idle worker is let in, whatever is predicted") {
  Admission admission;
  const Method method = running();
  admission.set_workers(2);
  learn_run(admission, method, 5000);
  auto loads = queue(admission, method, 1, 1000);
  CHECK(!predict(admission, method, 1));
  const auto more = queue(admission, method, 1, 1000);
  CHECK(predict(admission, method, 1));
  admission.on_ended(loads[0]);
  CHECK(!predict(admission, method, 1));
}

TEST_CASE("admission: jobs with later deadlines do not count, unless they are published") {
  Admission admission;
  const Method method = running();
  learn_run(admission, method, 10);
  auto loads = queue(admission, method, 50, 60'000);
  CHECK(!predict(admission, method, 100));
  for (int i = 0; i < 3; ++i)
    admission.on_published(loads[i], method, 0);
  CHECK(!predict(admission, method, 100));  // 2 * 30 ms, and its own 10 ms
  for (int i = 3; i < 6; ++i)
    admission.on_published(loads[i], method, 0);
  CHECK(predict(admission, method, 100));
}

TEST_CASE("admission: what was let in is not made late by what is more urgent") {
  Admission admission;
  const Method method = running();
  learn_run(admission, method, 10);
  const auto loads = queue(admission, method, 95, 1000);  // 950 ms: there is room for some more
  std::vector<std::vector<Admission::Load>> urgent;
  std::optional<Admission::Refusal> refusal;
  while (!(refusal = predict(admission, method, 300)) && urgent.size() < 20)
    urgent.push_back(queue(admission, method, 1, 300));
  REQUIRE(refusal);
  CHECK(urgent.size() >= 4);
  CHECK(urgent.size() <= 7);
  CHECK(refusal->retry_after_ns <= 10 * kMs);
}

TEST_CASE("admission: jobs that will be late anyway keep no request out") {
  Admission admission;
  const Method method = running();
  const auto loads = queue(admission, method, 2, 500);
  learn_run(admission, method, 1000);
  const auto late = queue(admission, method, 2, 500);
  const Method quick = running();
  learn_run(admission, quick, 1);
  CHECK(!predict(admission, quick, 100));
}

TEST_CASE("admission: a fetch takes its time, in which others' work is done") {
  Admission admission;
  const Method method = fetching();
  admission.set_workers(2);
  learn_fetch(admission, method, 70);
  learn_run(admission, method, 30);
  std::vector<Admission::Load> loads(4);
  for (Admission::Load& load : loads)
    admission.on_fetching(load, method, 0, kNow, kNow + 250 * kMs);
  // All arrive in 70 ms and take 60 ms of two workers: no later than 2 * 130 + 30.
  CHECK(!predict(admission, method, 291));
  CHECK(predict(admission, method, 289));
  for (Admission::Load& load : loads)
    admission.on_ended(load);
  for (Admission::Load& load : loads)  // 60 ms of work: its own fetch takes longer
    admission.on_queued(load, method, 1, kNow + 50 * kMs);
  CHECK(!predict(admission, method, 151));
  CHECK(predict(admission, method, 149));
}

TEST_CASE("admission: fetches that fail bring no work") {
  Admission admission;
  const Method method = fetching(), other = running();
  learn_fetch(admission, method, 70);
  learn_run(admission, method, 100);
  learn_run(admission, other, 1);
  for (int i = 0; i < 100; ++i)
    admission.on_fetch_failed(method.steps.front());
  std::vector<Admission::Load> loads(1000);
  for (Admission::Load& load : loads)
    admission.on_fetching(load, method, 0, kNow, kNow + 1000 * kMs);
  admission.on_queued(loads[0], other, 0, kNow + 1000 * kMs);
  CHECK(!predict(admission, other, 1000));
}

TEST_CASE("admission: without workers it counts on as many as there were") {
  Admission admission;
  const Method method = running();
  admission.set_workers(10);
  learn_run(admission, method, 10);
  const auto loads = queue(admission, method, 20, 50);
  CHECK(!predict(admission, method, 60));
  admission.set_workers(0);
  CHECK(!predict(admission, method, 60));
  admission.set_workers(1);
  CHECK(predict(admission, method, 60));
}

TEST_CASE("admission: a fetch that has ended delays no request") {
  Admission admission;
  admission.set_workers(1);
  const Method method = fetching(), other = running();
  learn_fetch(admission, method, 500);
  learn_run(admission, method, 10);
  learn_run(admission, other, 10);
  const auto waiting = queue(admission, other, 1, 1000);
  Admission::Load load;
  admission.on_fetching(load, method, 0, kNow, kNow + 600 * kMs);
  CHECK(predict(admission, other, 700));
  admission.on_ended(load);
  CHECK(!predict(admission, other, 700));
}

TEST_CASE("admission: a job that has ended is forgotten") {
  Admission admission;
  const Method method = fetching();
  learn_run(admission, method, 10);
  for (int round = 0; round < 3; ++round) {
    std::vector<Admission::Load> loads(100);
    for (Admission::Load& load : loads) {
      admission.on_fetching(load, method, 0, kNow, kNow + 1000 * kMs);
      admission.on_queued(load, method, 1, kNow + 1000 * kMs);
      admission.on_published(load, method, 1);
      admission.on_ended(load);
      admission.on_ended(load);
    }
    CHECK(!admission.next_done_ns());
    CHECK(!predict(admission, method, 0));
  }
  const auto waiting = queue(admission, method, 300, 1000);
  const Method other = running();
  learn_run(admission, other, 10);
  CHECK(predict(admission, other, 5));  // no worker is idle
}

TEST_CASE(
    "admission: less time than a job is known to take is not let in, not even when all idle") {
  Admission admission;
  const Method method = running();
  const auto is_let_in = [&](uint64_t now_ms, uint64_t allowed_ms) {
    const uint64_t now_ns = kNow + now_ms * kMs;
    return !admission.find_hopeless(method, now_ns, now_ns + allowed_ms * kMs);
  };
  CHECK(is_let_in(0, 5));  // nothing is known
  learn_run(admission, method, 2000);
  CHECK(is_let_in(0, 2000));
  CHECK(is_let_in(0, 5));  // once, to find out
  CHECK(!is_let_in(4, 5));
  CHECK(is_let_in(5, 5));  // that one was done in time, or has used no worker

  Admission::Load abandoned;
  admission.on_published(abandoned, method, 0);
  admission.on_abandoned(abandoned, method, kNow + 10 * kMs);
  CHECK(!is_let_in(60'000, 5));  // it still holds its worker
  admission.on_ended(abandoned);
  CHECK(!is_let_in(10 + 19'999, 5));
  CHECK(is_let_in(10 + 20'000, 5));
  const auto refusal =
      admission.find_hopeless(method, kNow + 20'010 * kMs, kNow + 20'015 * kMs - 1);
  REQUIRE(refusal);
  CHECK(refusal->predicted_ns == 2000 * kMs);
}

TEST_CASE(
    "admission: an abandoned job holds up the others for as long as it takes to replace its "
    "worker") {
  Admission admission;
  admission.set_workers(1);
  const Method method = running();
  learn_run(admission, method, 2000);
  Admission::Load abandoned;
  admission.on_published(abandoned, method, 0);
  const Method other = running();
  CHECK(predict(admission, other, 1000));
  admission.on_published(abandoned, method, 0, 5 * kMs + Admission::kAbandonedNs);
  CHECK(!predict(admission, other, 1000));  // it will be abandoned in 5 ms
  admission.on_abandoned(abandoned, method, kNow);
  CHECK(!predict(admission, other, 1000));  // its worker will be replaced for others
  CHECK(predict(admission, other, 150));
  admission.on_ended(abandoned);
  CHECK(!predict(admission, other, 150));
}

TEST_CASE("admission: a job that runs for longer than expected can only raise the estimate") {
  Admission admission;
  const Method method = running();
  admission.on_still_running(method.steps.front(), 5 * kMs);
  CHECK(admission.run_ns(method.steps.front()) == 5.0 * kMs);
  learn_run(admission, method, 2000);
  const auto learned_ns = admission.run_ns(method.steps.front());
  admission.on_still_running(method.steps.front(), 5 * kMs);
  CHECK(admission.run_ns(method.steps.front()) == learned_ns);
}

}  // namespace ringmaster::master
