#include <doctest/doctest.h>
#include <string>
#include <utility>
#include <vector>

#include "core_support.h"

namespace ringmaster::master {

TEST_CASE("dispatcher: the last places in flight are for clients that have less than their part") {
  Core core;  // 16 places
  const Method method{"slow", {}, 60'000, 1, {RunStep{0}}};
  ShareTable& shares = core.dispatcher.shares();
  const auto flood = shares.hold("flood", ShareTable::Kind::kNamed);
  const auto rare = shares.hold("rare", ShareTable::Kind::kNamed, 3);
  std::vector<Ticket> tickets;
  const auto ask = [&](ClientShare& share) -> std::string {
    const auto client = std::make_shared<Client>();
    const auto ticket = core.dispatcher.admit(method, "[1]", std::nullopt, client, &share);
    if (!ticket) return client->errors.at(0).reason;
    tickets.push_back(*ticket);
    return "";
  };
  for (int i = 0; i < 16; ++i)
    CHECK(ask(*flood).empty());  // nobody else asks
  CHECK(ask(*flood) == "queue_full");
  CHECK(ask(*rare) == "queue_full");
  for (int i = 0; i < 2; ++i) {
    core.dispatcher.cancel(tickets[static_cast<size_t>(i)]);
    CHECK(ask(*flood) == "fair_share");
    CHECK(ask(*rare).empty());
  }
  for (size_t i = 2; i < 5; ++i)
    core.dispatcher.cancel(tickets[i]);
  CHECK(ask(*flood).empty());  // more than 1/8 is free again
  CHECK(ask(*flood) == "fair_share");
  for (const Ticket ticket : tickets)
    core.dispatcher.cancel(ticket);
  CHECK(core.dispatcher.in_flight() == 0);
}

TEST_CASE("dispatcher: the last payload memory is for clients that hold less than their part") {
  Core core;  // 32 KiB
  const Method method{"two", {}, 60'000, 1, {RunStep{0}, RunStep{0}}};
  ShareTable& shares = core.dispatcher.shares();
  const auto flood = shares.hold("flood", ShareTable::Kind::kNamed);
  const auto rare = shares.hold("rare", ShareTable::Kind::kNamed);
  const std::string params = '"' + std::string(2900, 'x') + '"';  // a block of 3 KiB
  const auto client = std::make_shared<Client>();
  std::vector<Ticket> tickets;
  const auto ask = [&](ClientShare& share) -> std::string {
    const auto ticket = core.dispatcher.admit(method, params, std::nullopt, client, &share);
    if (ticket) tickets.push_back(*ticket);
    return ticket ? "" : client->errors.back().reason;
  };
  for (int i = 0; i < 10; ++i)
    CHECK(ask(*flood).empty());  // nobody else asks
  CHECK(ask(*flood) == "payload_memory");
  CHECK(ask(*rare) == "payload_memory");
  for (size_t i = 9; i > 7; --i) {
    core.dispatcher.cancel(tickets[i]);
    CHECK(ask(*flood) == "fair_share");
    CHECK(ask(*rare).empty());
  }
  core.dispatcher.cancel(tickets[7]);
  core.dispatcher.cancel(tickets[6]);
  CHECK(ask(*flood).empty());  // more than 1/8 is left
  // A result of the flood's first job, before its second step.
  Played worker(core, 0);
  worker.take();
  worker.commit(worker.in_hand()[0], params);
  REQUIRE(core.take_results());
  CHECK(client->errors.back().reason == "fair_share");
  for (const Ticket ticket : tickets)
    core.dispatcher.cancel(ticket);
  CHECK(core.store.used_bytes() == 0);
  for (int i = 0; i < 9; ++i)
    CHECK(ask(*rare).empty());
  CHECK(ask(*flood).empty());  // the flood holds nothing any more
}

TEST_CASE("dispatcher: a client's only job may take what memory is left") {
  Core core;  // 32 KiB
  const Method method{"two", {}, 60'000, 1, {RunStep{0}, RunStep{0}}};
  const auto client = std::make_shared<Client>();
  const auto large = core.dispatcher.shares().hold("large", ShareTable::Kind::kNamed);
  const auto other = core.dispatcher.shares().hold("other", ShareTable::Kind::kNamed);
  const std::string params = '"' + std::string(24 << 10, 'x') + '"';
  REQUIRE(core.dispatcher.admit(method, params, std::nullopt, client, large.get()));
  REQUIRE(core.dispatcher.admit(method, "[1]", std::nullopt, client, other.get()));
  Played worker(core, 0);
  worker.take();
  worker.commit(worker.in_hand()[0], std::string(2900, '1'));
  REQUIRE(core.take_results());
  CHECK(client->errors.empty());
  CHECK(core.store.used_bytes() == (25 + 1 + 3) << 10);
}

TEST_CASE("dispatcher: a request without any time is answered, and not admitted") {
  Core core;
  const Method method{"one", {}, 60'000, 1, {RunStep{0}}};
  const auto client = std::make_shared<Client>();
  CHECK(!core.dispatcher.admit(method, "[1]", 0, client));
  CHECK(client->errors.at(0).code == rpc::kDeadlineExceeded);
  CHECK(core.dispatcher.in_flight() == 0);
}

TEST_CASE("dispatcher: with more clients than places, each may have one") {
  Core core;  // 16 places
  const Method method{"slow", {}, 60'000, 1, {RunStep{0}}};
  std::vector<std::shared_ptr<ClientShare>> shares;
  std::vector<Ticket> tickets;
  for (size_t i = 0; i < 40; ++i) {
    const auto client = std::make_shared<Client>();
    shares.push_back(core.dispatcher.shares().hold(std::to_string(i), ShareTable::Kind::kNamed));
    const auto ticket =
        core.dispatcher.admit(method, "[1]", std::nullopt, client, shares.back().get());
    CHECK(ticket.has_value() == (i < 16));
    if (ticket) tickets.push_back(*ticket);
    if (!ticket) CHECK(client->errors.at(0).reason == "queue_full");
  }
  for (const Ticket ticket : tickets)
    core.dispatcher.cancel(ticket);
}

TEST_CASE("dispatcher: a fetch that a client's own deadline ends says nothing of the upstream") {
  Core core;
  const Method method{"asks", {}, 60'000, 1, {FetchStep{}, RunStep{0}}};
  const auto success = [&] { return core.dispatcher.scheduler().costs().need(0, 0).success; };
  for (const std::optional<uint64_t> timeout_ms : {std::optional<uint64_t>(1000), {}}) {
    const auto client = std::make_shared<Client>();
    const auto ticket = core.dispatcher.admit(method, "[1]", timeout_ms, client);
    REQUIRE(ticket);
    core.dispatcher.expire(*ticket);
    CHECK(client->errors.size() == 1);
    CHECK((success() == 1) == timeout_ms.has_value());
  }
}

TEST_CASE("dispatcher: a worker finds the id and the traceparent right behind the params") {
  struct Named : Client {
    explicit Named(std::string name) : id(std::move(name)) {}
    std::string_view client_id() const override { return id; }
    std::string id;
  };
  Core core;
  const Method method{"one", {}, 60'000, 1, {RunStep{0}}};
  const std::pair<std::string, std::string> requests[] = {
      {"[1]", "\"a\""}, {"", "17"}, {"[2]", ""}, {"", ""}, {"[3]", std::string(256, '7')}};
  const auto* const memory = reinterpret_cast<const char*>(&core.store.header(0));
  for (const auto& [params, id] : requests) {
    const auto client = std::make_shared<Named>(id);
    const std::string traceparent = id.size() == 2 ? "" : std::string(55, 't');
    const Ticket ticket =
        core.dispatcher
            .admit(method, params, std::nullopt, client, nullptr, {.traceparent = traceparent})
            .value();
    const ipc::JobHeader& header = core.store.header(ticket.slot);
    CHECK(header.views[0].size == params.size());
    CHECK(std::string_view(memory + header.views[0].offset, params.size()) == params);
    const char* const end = memory + header.views[0].offset + params.size();
    CHECK(std::string_view(end, header.id_bytes) == id);
    CHECK(std::string_view(end + id.size(), header.traceparent_bytes) == traceparent);
    core.dispatcher.cancel(ticket);
  }
  CHECK(core.store.used_bytes() == 0);
}

TEST_CASE("dispatcher: at the end of a stop workers with cancelled jobs are ended, too") {
  std::vector<uint32_t> killed;
  Core core([&](uint32_t worker, const char*) { killed.push_back(worker); });
  const Method method{"slow", {}, 60'000, 1, {RunStep{0}}};
  const auto client = std::make_shared<Client>();
  const auto ticket = core.dispatcher.admit(method, "[1]", std::nullopt, client);
  REQUIRE(ticket);
  Played worker(core, 0);
  worker.take();
  CHECK(core.dispatcher.cancel(*ticket) == rpc::Executed::kUnknown);
  core.dispatcher.cut_off_all(rpc::make_error(rpc::kShuttingDown, "shutting_down", "the end"));
  CHECK(killed == std::vector<uint32_t>{0});
  CHECK(core.bury(0, true).size() == 1);
  CHECK(core.dispatcher.in_flight() == 0);
  CHECK(client->errors.empty());
}

}  // namespace ringmaster::master
