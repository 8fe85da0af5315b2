// FetchOracle: knows all that an upstream has answered, and judges which of it a fetch may get.
//
// A *turn* is a call of SharedFetches::turn(), which puts the answers that have come since the last
// one into the cache, and tells the fetches.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/ascii.h"
#include "base/clock.h"
#include "fuzz.h"
#include "upstream/shared_fetches.h"

namespace ringmaster::fuzz {

using upstream::HttpClient;
using upstream::Sharing;

// A request that the upstream got. Its number, in FetchOracle::responses, stands first in its body,
// and is the message of its failure.
struct Response {
  size_t key;
  std::string body;    // as far as it was sent
  std::string reason;  // why it failed; empty: it did not
  size_t end = 0;      // responses end in this order; 0: it has not ended
  size_t turn = 0;     // that puts it into the cache; 0: it did not come yet
  uint64_t put_ns = 0;

  bool is_negative() const { return reason == "http_404" || reason == "http_410"; }
  bool is_decision() const { return reason.empty() || is_negative() || reason == "http_403"; }
};

// A fetch, and what its caller gets.
struct Call {
  size_t key = 0;
  size_t turn = 0;       // the first one after its begin
  size_t responses = 0;  // that were asked for before its begin
  uint64_t began_ns = 0;
  uint64_t timeout_ns = 0;
  uint64_t busy_ns = 0;  // for how long the loop had been busy before
  std::string body;
  bool has_refused = false;                         // the caller had no room for the body
  upstream::SharedFetches::Fetch* fetch = nullptr;  // null: answered or cancelled
  void* generation = nullptr;
};

class FetchOracle {
 public:
  explicit FetchOracle(const upstream::UpstreamOptions& options) : options_(options) {}

  std::vector<Response> responses;

  void check(const Call& call, Sharing sharing, const std::optional<HttpClient::Failure>& failure,
             uint64_t now_ns) const {
    if (call.has_refused) {
      RM_ASSERT(failure && failure->reason == "no_memory");
      return;
    }
    RM_ASSERT(!failure || call.body.empty());
    const std::string text = failure ? failure->message : call.body.substr(0, call.body.find(' '));
    const auto number = to_number<size_t>(text);
    if (!number) return check_own(call, failure.value(), now_ns);
    const Response& response = responses.at(*number);
    RM_ASSERT(response.key == call.key && response.turn > 0);
    RM_ASSERT((failure ? failure->reason : "") == response.reason);
    RM_ASSERT(failure || call.body == response.body);
    check_use(call, *number, sharing);
  }

 private:
  // A failure that is not the upstream's.
  void check_own(const Call& call, const HttpClient::Failure& failure, uint64_t now_ns) const {
    if (failure.reason == "timeout") {
      RM_ASSERT(now_ns >= call.timeout_ns);
      return;
    }
    RM_ASSERT(failure.reason == "no_memory");
    RM_ASSERT(std::any_of(responses.begin() + call.responses, responses.end(),
                          [&](const Response& response) {
                            return response.key == call.key && response.reason == "no_memory";
                          }));
  }

  void check_use(const Call& call, size_t number, Sharing sharing) const {
    const Response& response = responses[number];
    const bool is_cached = sharing == Sharing::kHit || sharing == Sharing::kStale;
    RM_ASSERT(response.turn >= call.turn || is_cached);
    if (is_cached) return check_cached(call, response, sharing);
    // A fetch that joined another one gets that one's decisions, but not its failures.
    const bool is_asked_later = number >= call.responses;
    const bool has_joined = sharing == Sharing::kCoalesced && options_.coalesce;
    RM_ASSERT(is_asked_later || (has_joined && response.is_decision()));
  }

  void check_cached(const Call& call, const Response& response, Sharing sharing) const {
    const upstream::CacheOptions& cache = options_.cache;
    RM_ASSERT(response.reason.empty() || (response.is_negative() && sharing == Sharing::kHit));
    const uint64_t ttl_ms = response.is_negative() ? cache.negative_ttl_ms : cache.ttl_ms;
    const uint64_t age_ns = call.began_ns - std::min(response.put_ns, call.began_ns);
    const auto is_within = [&](uint64_t more_ms) { return age_ns < (ttl_ms + more_ms) * kNsPerMs; };
    const bool was_there = response.turn < call.turn;
    // One that was not there at the call's begin takes the place of a failure.
    if (sharing == Sharing::kHit) RM_ASSERT(is_within(0) && (was_there || response.reason.empty()));
    if (sharing == Sharing::kStale) {
      const bool is_renewed = was_there && is_within(cache.stale_while_revalidate_ms);
      RM_ASSERT(is_renewed || is_within(cache.stale_if_error_ms));
    }
    RM_ASSERT(std::ranges::none_of(responses, [&](const Response& other) {
      return other.key == call.key && other.is_decision() && other.end > response.end &&
             other.turn > 0 && other.turn < call.turn && other.turn >= response.turn;
    }));
  }

  const upstream::UpstreamOptions& options_;
};

}  // namespace ringmaster::fuzz
