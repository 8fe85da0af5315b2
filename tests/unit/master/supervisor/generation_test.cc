#include "master/supervisor/generation.h"

#include <cerrno>
#include <doctest/doctest.h>
#include <string>
#include <sys/wait.h>
#include <vector>

#include "ipc/payload_store.h"
#include "loop_support.h"

namespace ringmaster::master {
namespace {

// A generation whose fork server leaves at once (see main.cc), and the reports of its end.
struct Fixture {
  test::Loop loop;
  ipc::Geometry geometry{.worker_slots = 1,
                         .ring_entries = 4,
                         .job_slots = 1,
                         .payload_bytes = 4096,
                         .result_bytes = 4096};
  Result<ipc::PayloadStore> store = ipc::PayloadStore::create(geometry);
  std::vector<std::string> gone;
  Outputs outputs{
      loop.get(),
      1,
      false,
      {[](uint32_t) { return RunStage::Printer{}; }, [](uint32_t, uint64_t) { return false; },
       [](uint32_t) { return std::vector<LogField>(); }}};

  std::unique_ptr<Generation> start() {
    REQUIRE(store);
    auto started =
        Generation::start(loop.get(), 1, geometry, store->memory_fd(), {}, {}, {}, outputs,
                          {[](const ipc::ControlMessage&) {}, [](uint32_t, const Error&) {}, [] {},
                           [this](const std::string& how) { gone.push_back(how); }});
    REQUIRE_MESSAGE(started, started.error().message);
    return std::move(*started);
  }
};

bool was_reaped(pid_t pid) {
  return ::waitpid(pid, nullptr, WNOHANG) == -1 && errno == ECHILD;
}

TEST_CASE("generation: a fork server that leaves at once is reported, and reaped") {
  Fixture fixture;
  const auto generation = fixture.start();
  const pid_t fork_server = generation->fork_server_pid();
  fixture.loop.run_until([&] { return !fixture.gone.empty(); });
  CHECK(was_reaped(fork_server));
  CHECK(fixture.gone.size() == 1);
}

TEST_CASE(
    "generation: after its destruction the loop reaps the fork server, and nothing is reported") {
  Fixture fixture;
  auto generation = fixture.start();
  const pid_t fork_server = generation->fork_server_pid();
  generation.reset();
  uv_run(fixture.loop.get(), UV_RUN_DEFAULT);
  CHECK(was_reaped(fork_server));
  CHECK(fixture.gone.empty());
}

}  // namespace
}  // namespace ringmaster::master
