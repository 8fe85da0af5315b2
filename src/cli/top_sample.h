// Sample: the part of /status.json (master/admin/status_json.h) that `ringmaster top` and
// `ringmaster plan` use. All counts are since the server's start: both commands use the difference
// of two samples.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace ringmaster::cli {

using Counts = std::vector<uint64_t>;  // of a histogram, by bucket

// How much a count has grown; 0 if it is smaller now.
uint64_t more(uint64_t now, uint64_t before);
Counts more(const Counts& now, const Counts& before);
void add(Counts& sum, const Counts& more);

struct MethodSample {
  uint64_t admitted = 0;
  uint64_t ok = 0;
  uint64_t abandoned = 0;
  std::map<std::string, uint64_t> errors;  // "code reason"
  Counts total;
  Counts queue;
  Counts run;
  Counts fetch;         // from all upstreams
  double total_ms = 0;  // the sum of the times in `total`; the next two likewise
  double queue_ms = 0;
  double run_ms = 0;
};

struct WorkerSample {
  uint64_t slot = 0;
  uint64_t pid = 0;  // 0: there is none
  std::string state;
  std::string method;
  double busy_for_ms = 0;
  double last_progress_ms = 0;
  double age_s = 0;
  double busy_s = 0;
  uint64_t private_bytes = 0;
  uint64_t jobs = 0;
  uint64_t ends = 0;
};

struct ClientSample {
  std::string name;
  double used = 0;
  double weight = 1;
  uint64_t in_flight = 0;
  uint64_t ok = 0;       // requests with a result
  uint64_t refused = 0;  // requests that were refused
};

struct FetchSample {  // of an upstream, by all methods
  uint64_t failed = 0;
  Counts took;
};

struct UpstreamSample {
  std::string name;
  uint64_t in_flight = 0;
  uint64_t waiting = 0;
  bool is_breaker_open = false;
  uint64_t addresses = 0;
  uint64_t ejected = 0;
  bool has_cache = false;
  uint64_t cached = 0;      // fetches that the cache answered
  uint64_t not_cached = 0;  // and the others
};

struct Sample {
  uint64_t pid = 0;
  double at_s = 0;  // by the server's clock
  double uptime_s = 0;
  std::string status;
  bool is_overloaded = false;
  uint64_t in_flight = 0;
  uint64_t queued = 0;
  std::vector<double> bounds_ms;  // of the histograms
  std::map<std::string, MethodSample> methods;
  std::map<std::string, FetchSample> fetches;  // by upstream
  std::map<std::string, uint64_t> worker_ends;
  std::vector<WorkerSample> workers;
  std::vector<ClientSample> clients;
  std::vector<UpstreamSample> upstreams;
};

// Empty: `page` is not a page of /status.json. Texts have no control characters.
std::optional<Sample> parse_sample(std::string_view page);

// Asks the status port at `address`. Fails (71) as get_page() does, and if parse_sample() does.
Result<Sample> take_sample(const std::string& address);

}  // namespace ringmaster::cli
