// An upstream in virtual time for SharedFetches, and the outcome of each fetch.
#pragma once

#include <cstdint>
#include <doctest/doctest.h>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "upstream/shared_fetches.h"

namespace ringmaster::test {

using upstream::Attempts;
using upstream::HttpClient;
using upstream::SharedFetches;
using upstream::Sharing;
using upstream::UpstreamOptions;

inline UpstreamOptions coalescing() {
  UpstreamOptions options;
  options.name = "u";
  options.coalesce = true;
  return options;
}

inline UpstreamOptions caching(uint64_t ttl_ms) {
  UpstreamOptions options;
  options.name = "u";
  options.cache.ttl_ms = ttl_ms;
  return options;
}

// A fetch that the test has started.
struct Started {
  SharedFetches::Fetch* fetch = nullptr;  // null: it was answered or cancelled
  std::string target;
  int answers = 0;
  std::string body;
  std::string reason;  // why the fetch failed; empty: it did not fail
  Sharing sharing = Sharing::kMiss;
  uint64_t timeout_ns = 0;
  uint64_t answered_ns = 0;
  bool is_cancelled = false;
};

class VirtualUpstream {
 public:
  explicit VirtualUpstream(const UpstreamOptions& options_)
      : options(options_),
        fetches(options, {[this](HttpClient::Request request) { return ask(std::move(request)); },
                          [this](Attempts::Fetch* fetch, bool is_late) {
                            REQUIRE(asked.erase(fetch) == 1);
                            cancelled_late += is_late;
                          },
                          [this](Attempts::Fetch* fetch, const void* client) {
                            asked.at(fetch).client = client;
                          },
                          [this] { is_awake = true; }}) {}

  // Returns the fetch's index in `outcomes`.
  size_t start(const std::string& target, uint64_t timeout_ms = 1000) {
    const size_t index = outcomes.size();
    outcomes.emplace_back();
    HttpClient::Request request;
    request.method = "GET";
    request.target = target;
    request.timeout_ms = request.left_ms = timeout_ms;
    request.on_bytes = [this, index](std::string_view bytes, uint64_t) {
      outcomes[index].body += bytes;
      return takes_bytes();
    };
    request.on_done = [this, index](const std::optional<HttpClient::Failure>& failure, uint64_t) {
      Started& its = outcomes[index];
      its.sharing = SharedFetches::sharing_of(*std::exchange(its.fetch, nullptr));
      ++its.answers;
      its.answered_ns = now_ns;
      if (failure) its.reason = failure->reason;
      on_answered();
    };
    SharedFetches::Fetch* const fetch = fetches.start(std::move(request), now_ns);
    Started& its = outcomes[index];
    its.fetch = fetch;
    its.target = target;
    its.timeout_ns = now_ns + timeout_ms * kNsPerMs;
    return index;
  }
  void cancel(size_t index, bool is_late = false) {
    outcomes[index].is_cancelled = true;
    fetches.cancel(std::exchange(outcomes[index].fetch, nullptr), is_late, now_ns);
  }
  // Ends the request for this target that was asked first.
  void answer(const std::string& target, const std::string& body) { end(target, body, {}); }
  void fail(const std::string& target, const std::string& reason) {
    end(target, "the body of an error", HttpClient::Failure{reason, ""});
  }
  // Does what a turn of the loop does.
  void turn() {
    while (std::exchange(is_awake, false) || fetches.next_timeout_ns() <= now_ns)
      fetches.turn(now_ns);
    CHECK(!fetches.is_due());
  }
  void pass(uint64_t ms) {
    now_ns += ms * kNsPerMs;
    turn();
  }
  // The requests under way for a target.
  size_t asked_for(const std::string& target) const {
    size_t count = 0;
    for (const auto& [fetch, request] : asked)
      count += request.target == target;
    return count;
  }
  uint64_t count(Sharing sharing) const { return fetches.counts()[static_cast<size_t>(sharing)]; }

  UpstreamOptions options;
  uint64_t now_ns = kNsPerS;
  std::vector<Started> outcomes;
  std::map<Attempts::Fetch*, HttpClient::Request> asked;  // the first one asked is first
  size_t asked_ever = 0;
  size_t cancelled_late = 0;  // requests that used up the time of a fetch
  bool is_awake = false;
  std::function<bool()> takes_bytes = [] { return true; };
  std::function<void()> on_answered = [] {};
  SharedFetches fetches;

 private:
  Attempts::Fetch* ask(HttpClient::Request request) {
    auto* const fetch = reinterpret_cast<Attempts::Fetch*>(++asked_ever * 16);
    asked.emplace(fetch, std::move(request));
    return fetch;
  }
  void end(const std::string& target, const std::string& body,
           std::optional<HttpClient::Failure> failure) {
    auto at = asked.begin();
    while (at != asked.end() && at->second.target != target)
      ++at;
    REQUIRE(at != asked.end());
    const HttpClient::Request request = std::move(at->second);
    asked.erase(at);
    if (!body.empty() && !request.on_bytes(body, body.size()))
      failure = HttpClient::Failure{"no_memory", ""};
    request.on_done(std::move(failure), kNsPerMs);
  }
};

// "BODY", "!REASON", "?": no answer yet.
inline std::string got(const VirtualUpstream& upstream, size_t index) {
  const Started& its = upstream.outcomes[index];
  CHECK(its.answers <= 1);
  if (its.answers == 0) return "?";
  return its.reason.empty() ? its.body : "!" + its.reason;
}

}  // namespace ringmaster::test
