// ServerState: the facts that the pages of the status port show besides the events. It is a copy,
// taken when a page is asked for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ringmaster::master {

struct WorkerView {
  uint32_t slot = 0;
  int32_t pid = 0;
  // "starting", "idle", "busy", "stopped" (by a signal or a debugger, in a job), "leaving",
  // "waiting", "backing_off"
  std::string_view state;
  std::string method;          // that it runs now; empty: none
  uint64_t request = 0;        // that it runs now; of a batch the first unanswered one; 0: none
  uint64_t busy_for_ns = 0;    // since that job was published
  uint64_t age_ns = 0;         // since its fork
  uint64_t private_bytes = 0;  // that it has taken since its fork
  uint64_t cpu_ns = 0;
};

struct ClientView {
  std::string name;
  double weight = 1;
  double used = 0;  // its part of all workers' time, lately
  uint64_t in_flight = 0;
  uint64_t memory_bytes = 0;  // payload memory that its requests hold
};

struct UpstreamView {
  std::string name;
  uint64_t in_flight = 0;    // fetches, waiting ones included
  uint64_t waiting = 0;      // for a connection
  uint64_t connections = 0;  // the limit
  uint64_t limit = 0;        // of fetches with a connection, now
  uint64_t retries = 0;      // since the configuration was loaded; as the next two
  uint64_t hedges = 0;
  uint64_t breaker_opened = 0;
  bool is_breaker_open = false;
  uint64_t addresses = 1;
  uint64_t ejected = 0;  // of the addresses, now

  struct Sharing {
    std::vector<std::pair<std::string_view, uint64_t>> fetches;  // by how they were answered
    uint64_t bytes = 0;                                          // of the cache
    uint64_t evictions = 0;
  };
  std::optional<Sharing> sharing;  // none: its fetches share no answers
};

struct DeploymentView {
  uint32_t generation = 0;  // 0: its fork server has died, and the next one has not started
  std::string_view state;   // "starting", "serving", "finishing"
  uint64_t in_flight = 0;
};

struct Health {
  bool is_ready = false;
  std::string text;  // a line for people
};

struct ServerState {
  Health health;
  bool is_overloaded = false;
  int32_t pid = 0;
  uint64_t now_ns = 0;
  int64_t unix_ms = 0;  // the time of day
  uint64_t uptime_ns = 0;
  std::string configuration;  // the file's path
  std::string configuration_hash;
  uint64_t in_flight = 0;  // requests
  uint64_t in_flight_limit = 0;
  uint64_t queued = 0;         // requests in flight that wait for a worker
  uint64_t payload_bytes = 0;  // the part of payload memory in use
  uint64_t payload_limit_bytes = 0;
  uint64_t workers_wanted = 0;
  std::vector<std::pair<std::string_view, uint64_t>> connections;  // by framing
  uint64_t connections_limit = 0;
  uint64_t connection_bytes = 0;
  uint64_t descriptors = 0;
  uint64_t descriptors_limit = 0;
  uint64_t resident_bytes = 0;                                     // of the master
  double cpu_s = 0;                                                // of the master
  std::vector<std::pair<std::string_view, uint64_t>> trace_spans;  // by what became of them
  std::vector<WorkerView> workers;
  std::vector<ClientView> clients;  // that have requests, or had some lately; see state_collector.h
  std::vector<UpstreamView> upstreams;
  std::vector<DeploymentView> deployments;
};

}  // namespace ringmaster::master
