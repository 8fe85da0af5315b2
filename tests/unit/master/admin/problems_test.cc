#include "master/admin/problems.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace ringmaster::master {
namespace {

ServerState ready_state() {
  ServerState state;
  state.health = {true, "serving"};
  return state;
}

// "bad: TEXT" or "look: TEXT", one a line.
std::string text_of(const ServerState& state) {
  std::string text;
  for (const Problem& one : problems(state, telemetry::Recorder()))
    text += fmt::format("{}: {}\n", one.is_bad ? "bad" : "look", one.text);
  return text;
}

TEST_CASE("problems: a server that works well has none") {
  ServerState state = ready_state();
  state.in_flight_limit = 100;
  state.in_flight = 89;
  state.workers.resize(2);
  state.workers[0].state = "busy";
  state.workers[1].state = "idle";
  state.upstreams.resize(1);
  CHECK(text_of(state) == "");
}

TEST_CASE("problems: a server that is not ready, and a limit that is nearly reached") {
  ServerState state = ready_state();
  state.health = {false, "stalled"};
  state.in_flight = 90;
  state.in_flight_limit = 100;
  state.connections = {{"json", 400}, {"http", 500}};
  state.connections_limit = 1000;
  state.payload_bytes = 255 << 20;
  state.payload_limit_bytes = 256 << 20;
  CHECK(text_of(state) ==
        "bad: not ready: stalled\n"
        "look: requests in flight: 90 of 100 are used\n"
        "look: payload memory: 255 of 256 MiB are used\n"
        "look: connections: 900 of 1000 are used\n");
}

TEST_CASE("problems: stopped workers, and those that crashed again and again") {
  ServerState state = ready_state();
  state.workers_wanted = 4;
  state.workers.resize(4);
  state.workers[1].slot = 1;
  state.workers[1].state = "stopped";
  state.workers[1].method = "score";
  state.workers[1].busy_for_ns = 1'500'000'000;
  state.workers[2].state = state.workers[3].state = "backing_off";
  CHECK(text_of(state) ==
        "bad: worker 1 is stopped, by a signal or a debugger, and has had score for 1.5s\n"
        "bad: 2 of 4 workers are down: they crashed again and again, and the server waits before "
        "it forks the next ones\n");
}

TEST_CASE("problems: an open breaker, an ejected address and fetches that wait") {
  ServerState state = ready_state();
  state.upstreams.resize(1);
  state.upstreams[0].name = "users";
  state.upstreams[0].addresses = 3;
  state.upstreams[0].ejected = 1;
  state.upstreams[0].connections = 8;
  state.upstreams[0].waiting = 2;
  CHECK(text_of(state) ==
        "look: upstream users: 1 of 3 addresses get probes only\n"
        "look: upstream users: 2 fetches wait for one of its 8 connections\n");
  state.upstreams[0] = {};
  state.upstreams[0].name = "users";
  state.upstreams[0].is_breaker_open = true;
  CHECK(text_of(state) ==
        "bad: upstream users: its breaker is open, so fetches fail without being sent\n");
}

TEST_CASE("problems: a client with most of the workers' time, unless its weight explains it") {
  ServerState state = ready_state();
  state.clients.resize(2);
  state.clients[0].name = "web";
  state.clients[0].used = 0.04;
  state.clients[1].name = "batch";
  state.clients[1].used = 0.93;
  CHECK(text_of(state) ==
        "look: client batch uses 93 % of the workers' time, all other clients 4 %\n");
  state.clients[1].weight = 4;
  CHECK(text_of(state) == "");
  state.clients[1].weight = 1;
  state.clients[1].used = 0.5;  // workers are idle: nobody lacks anything
  CHECK(text_of(state) == "");
}

}  // namespace
}  // namespace ringmaster::master
