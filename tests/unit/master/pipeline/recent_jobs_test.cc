#include "master/pipeline/recent_jobs.h"

#include <doctest/doctest.h>

#include "core_support.h"

namespace ringmaster::master {
namespace {

RecentJob job_of(std::string params, size_t result_bytes = 1) {
  RecentJob job;
  job.params = std::move(params);
  job.result.assign(result_bytes, 'x');
  return job;
}

std::vector<std::string> params_of(const RecentJobs& jobs, uint32_t method) {
  std::vector<std::string> params;
  for (const auto& job : jobs.of(method))
    params.push_back(job->params);
  return params;
}

}  // namespace

TEST_CASE("recent jobs: the last ones of each method are kept") {
  RecentJobs jobs(2);
  CHECK(jobs.of(7).empty());
  for (const char* params : {"a", "b", "c"})
    jobs.keep(1, job_of(params));
  jobs.keep(0, job_of("d"));
  CHECK(params_of(jobs, 0) == std::vector<std::string>{"d"});
  CHECK(params_of(jobs, 1) == std::vector<std::string>{"b", "c"});
  RecentJobs next(1);
  next.adopt(3, jobs, 1);
  CHECK(params_of(next, 3) == std::vector<std::string>{"c"});
}

TEST_CASE("recent jobs: their bytes are bounded") {
  RecentJobs jobs(1000);
  jobs.keep(0, job_of("large", RecentJobs::kJobBytesMax));
  CHECK(jobs.of(0).empty());
  for (int i = 0; i < 100; ++i)
    jobs.keep(0, job_of("", RecentJobs::kJobBytesMax));
  CHECK(jobs.of(0).size() == RecentJobs::kMethodBytesMax / RecentJobs::kJobBytesMax);
}

TEST_CASE("recent jobs: of each method one is chosen in a millisecond") {
  RecentJobs jobs(2);
  CHECK(jobs.try_choose(1, 10 * kNsPerMs));
  CHECK_FALSE(jobs.try_choose(1, 11 * kNsPerMs - 1));
  CHECK(jobs.try_choose(0, 10 * kNsPerMs));
  CHECK(jobs.try_choose(1, 11 * kNsPerMs));
}

TEST_CASE("dispatcher: an answered job is kept, and run again without its fetch") {
  Core core;
  core.dispatcher.keep_recent(10);
  const Method method{"two", {}, 60'000, 2, {RunStep{0}, RunStep{0}}};
  core.dispatcher.add_method(method);
  Played worker(core, 0);
  const auto play = [&](std::string_view result) {
    worker.take();
    worker.commit(worker.in_hand().back(), result);
    CHECK(core.take_results());
    worker.finish();
  };
  const auto client = std::make_shared<Client>();
  CHECK(core.dispatcher.admit(method, "[1]", std::nullopt, client));
  play("\"output\"");
  play("2");
  CHECK(client->results == std::vector<std::string>{"2"});
  REQUIRE(core.dispatcher.recent(method).size() == 1);
  const std::shared_ptr<const RecentJob> kept = core.dispatcher.recent(method).front();
  CHECK(kept->params == "[1]");
  CHECK(kept->outputs == std::vector<std::string>{"\"output\""});
  CHECK(kept->result == "2");

  const Method fetches{"fetches", {}, 60'000, 2, {FetchStep{}, RunStep{0}}};
  const auto listener = std::make_shared<Client>();
  RequestExtras extras;
  extras.rehearsed = kept;
  CHECK(core.dispatcher.admit(fetches, kept->params, std::nullopt, listener, nullptr, extras));
  play("3");
  CHECK(listener->results == std::vector<std::string>{"3"});
  CHECK(core.dispatcher.in_flight() == 0);
}

TEST_CASE("dispatcher: a rehearsed job gets the outputs of fetches that began together") {
  Core core;
  FetchStep other;
  other.is_with_previous = other.is_optional = true;
  const Method method{"three", {}, 60'000, 2, {FetchStep{}, other, FetchStep{}, RunStep{0}}};
  RecentJob kept = job_of("[1]");
  kept.outputs = {R"({"a":1})", "null", "[]"};
  RequestExtras extras;
  extras.rehearsed = std::make_shared<const RecentJob>(kept);
  const auto listener = std::make_shared<Client>();
  CHECK(core.dispatcher.admit(method, kept.params, std::nullopt, listener, nullptr, extras));
  Played worker(core, 0);
  worker.take();
  const ipc::JobHeader& header = core.store.header(worker.in_hand().back().job);
  CHECK(header.batch == 1);
  REQUIRE(header.view_count == 4);
  const auto* const memory = reinterpret_cast<const char*>(&core.store.header(0));
  for (size_t i = 0; i < kept.outputs.size(); ++i) {
    const ipc::View& output = header.views[1 + i];
    CHECK(std::string_view(memory + output.offset, output.size) == kept.outputs[i]);
  }
  worker.commit(worker.in_hand().back(), "3", 0, 1'000'000'000);
  CHECK(core.take_results());
  worker.finish();
  CHECK(listener->results == std::vector<std::string>{"3"});
  // Its worker is at idle priority: the scheduler learns nothing from its time.
  CHECK_FALSE(core.dispatcher.scheduler().costs().is_known(core.dispatcher.add_method(method), 3));
}

TEST_CASE(
    "dispatcher: a rehearsed job is in no metrics, and is not run again once its worker dies") {
  Core core;
  const Method method{"echo", {}, 60'000, 3, {RunStep{0}}};
  const auto listener = std::make_shared<Client>();
  RequestExtras extras;
  extras.rehearsed = std::make_shared<const RecentJob>();
  CHECK(core.dispatcher.admit(method, "[1]", std::nullopt, listener, nullptr, extras));
  Played worker(core, 0);
  worker.take();
  core.bury(0);
  REQUIRE(listener->errors.size() == 1);
  CHECK(listener->errors[0].code == rpc::kWorkerDied);
  CHECK_FALSE(listener->errors[0].retryable);
  CHECK_FALSE(core.recorder.ring().has(1));
}

}  // namespace ringmaster::master
