// RunStage: jobs that run on after their clients' own deadlines.
#include <doctest/doctest.h>
#include <fstream>

#include "base/clock.h"
#include "base/log.h"
#include "core_support.h"
#include "temporary_folder.h"

namespace ringmaster::master {
namespace {

// A log in a file, for the time of a test.
class FileLog {
 public:
  FileLog() {
    LogOptions options;
    options.file = folder_.write("log", "");
    REQUIRE(set_up_log(options));
    lines_.open(options.file);
  }
  ~FileLog() { CHECK(set_up_log({})); }
  FileLog(const FileLog&) = delete;
  FileLog& operator=(const FileLog&) = delete;

  // The lines with this text since the last call.
  std::vector<std::string> take_lines(std::string_view text) {
    lines_.clear();
    std::vector<std::string> found;
    for (std::string line; std::getline(lines_, line);)
      if (line.find(text) != std::string::npos) found.push_back(line);
    return found;
  }

 private:
  test::TemporaryFolder folder_;
  std::ifstream lines_;
};

// Jobs that hold their worker after their clients' deadlines. These deadlines pass at once.
struct Abandoned {
  explicit Abandoned(size_t workers = 1) { core.stage().set_workers(workers); }

  std::shared_ptr<Client> admit(std::optional<uint64_t> timeout_ms) {
    clients.push_back(std::make_shared<Client>());
    tickets.push_back(
        core.dispatcher.admit(method, "[1]", timeout_ms, clients.back()).value_or(Ticket{}));
    return clients.back();
  }
  void abandon() {
    const auto client = admit(1);
    first.take();
    core.dispatcher.expire(tickets.back());
    REQUIRE(client->errors.size() == 1);
    CHECK(client->errors[0].code == rpc::kDeadlineExceeded);
    CHECK(client->errors[0].executed == rpc::Executed::kUnknown);
  }
  // The workers that a tick, `ms` from now, ends.
  std::vector<uint32_t> tick(uint64_t ms) {
    killed.clear();
    core.stage().end_abandoned(now_ns() + ms * kNsPerMs);
    return killed;
  }

  std::vector<uint32_t> killed;
  Core core{[this](uint32_t worker, const char*) { killed.push_back(worker); }};
  Method method{"slow", {}, 60'000, 1, {RunStep{0}}};
  std::vector<std::shared_ptr<Client>> clients;
  std::vector<Ticket> tickets;
  Played first{core, 0};
};

using Workers = std::vector<uint32_t>;

}  // namespace

TEST_CASE("run stage: a client's own deadline answers the client, and ends no worker") {
  Abandoned abandoned;
  abandoned.abandon();
  CHECK(abandoned.killed.empty());
  CHECK(abandoned.tick(0).empty());
  CHECK(abandoned.tick(100).empty());  // no job waits
  CHECK(abandoned.core.dispatcher.in_flight() == 1);
  abandoned.first.commit(abandoned.first.in_hand()[0], "\"late\"");
  CHECK(abandoned.core.take_results());
  CHECK(abandoned.core.dispatcher.in_flight() == 0);
  CHECK(abandoned.core.store.used_bytes() == 0);
  CHECK(abandoned.clients[0]->answers() == 1);
}

TEST_CASE("run stage: only jobs past their method's deadline are logged, not past their client's") {
  Abandoned abandoned(64);
  FileLog log;
  const auto expire = [&](std::optional<uint64_t> timeout_ms, size_t jobs) {
    const size_t before = abandoned.tickets.size();
    for (size_t i = 0; i < jobs; ++i) {
      abandoned.admit(timeout_ms);
      abandoned.first.take();
    }
    for (size_t i = before; i < before + jobs; ++i)
      abandoned.core.dispatcher.expire(abandoned.tickets[i]);
    return log.take_lines("event=timeout ").size();
  };
  CHECK(expire(50'000, 3) == 0);
  CHECK(expire(std::nullopt, 2) == 2);
}

TEST_CASE("run stage: an abandoned job's worker is ended once another job has waited for a tick") {
  Abandoned abandoned;
  abandoned.abandon();
  const auto waiting = abandoned.admit(std::nullopt);
  CHECK(abandoned.tick(0).empty());
  CHECK(abandoned.tick(50) == Workers{0});
  CHECK(abandoned.tick(100).empty());  // not more than one in a second
  CHECK(abandoned.core.bury(0, true).size() == 1);
  CHECK(waiting->answers() == 0);
  CHECK(abandoned.core.port->was_any_ready());  // the next worker will take it
  CHECK(abandoned.core.dispatcher.in_flight() == 1);
}

TEST_CASE("run stage: an abandoned job's worker is not ended while others give results") {
  Abandoned abandoned(2);
  abandoned.abandon();
  Played second(abandoned.core, 1);
  for (uint64_t ms = 0; ms < 1000; ms += 50) {
    abandoned.admit(std::nullopt);
    abandoned.admit(std::nullopt);
    CHECK(abandoned.tick(ms).empty());
    second.take();
    second.commit(second.in_hand()[0], "1");
    second.finish();
    CHECK(abandoned.core.take_results());
    CHECK(abandoned.tick(ms + 25).empty());
    second.take();
    second.commit(second.in_hand()[0], "1");
    second.finish();
    CHECK(abandoned.core.take_results());
  }
}

TEST_CASE("run stage: the worker that is ended is the one that has the job now") {
  Abandoned abandoned(3);
  abandoned.method.attempts = 2;
  abandoned.admit(std::nullopt);
  const Ticket moved = abandoned.tickets.back();
  Played before(abandoned.core, 1);
  Played now(abandoned.core, 2);
  before.take();
  abandoned.abandon();  // the search for its worker sees all jobs in hand
  CHECK(abandoned.core.bury(1).size() == 1);
  now.take();
  abandoned.core.dispatcher.expire(moved);
  CHECK(abandoned.killed.empty());
  abandoned.core.dispatcher.expire(moved);  // the method's deadline
  CHECK(abandoned.killed == Workers{2});
}

TEST_CASE("run stage: a worker that also has another job is not ended for an abandoned one") {
  Abandoned abandoned(2);
  abandoned.abandon();
  abandoned.admit(std::nullopt);
  abandoned.first.take();  // of the same batch
  abandoned.admit(std::nullopt);
  CHECK(abandoned.tick(0).empty());
  CHECK(abandoned.tick(50).empty());
}

}  // namespace ringmaster::master
