// ScriptedUpstream: what upstreams do, as a script says: bodies come in pieces, and requests end.
#pragma once

#include <fuzzer/FuzzedDataProvider.h>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "fetch_oracle.h"
#include "fuzz.h"

namespace ringmaster::fuzz {

using upstream::Attempts;
using upstream::SharedFetches;

// Requests that one text of their parts would not tell apart.
struct Key {
  const char* method;
  const char* target;
  const char* body;
  std::vector<std::string> headers;
};
inline const Key kKeys[] = {{"GET", "/a", "b", {}},
                            {"GET", "/ab", "", {}},
                            {"GET", "/a", "", {"b"}},
                            {"GETa", "/", "b", {}}};

class ScriptedUpstream {
 public:
  ScriptedUpstream(FuzzedDataProvider& script, const upstream::UpstreamOptions& options,
                   std::vector<Response>& responses)
      : script_(script), options_(options), responses_(responses) {}

  Attempts::Fetch* ask(const SharedFetches& by, HttpClient::Request request, uint64_t now_ns) {
    const size_t number = responses_.size(), key = key_of(request);
    for (const auto& [other, asked] : asked_) {
      const bool is_equal = asked.by == &by && responses_[other].key == key;
      RM_ASSERT(!is_equal || !options_.coalesce);
    }
    RM_ASSERT(request.timeout_ms > 0);
    responses_.push_back({.key = key, .body = {}, .reason = {}});
    const uint64_t timeout_ns = now_ns + request.timeout_ms * kNsPerMs;
    asked_.emplace(number, Asked{std::move(request), &by, timeout_ns});
    return reinterpret_cast<Attempts::Fetch*>((number + 1) * 16);
  }
  void cancel(const Attempts::Fetch* fetch) { RM_ASSERT(asked_.erase(number_of(fetch)) == 1); }
  void check_asked(const Attempts::Fetch* fetch) const {
    RM_ASSERT(asked_.contains(number_of(fetch)));
  }

  bool is_idle() const { return asked_.empty(); }
  uint64_t next_timeout_ns() const {
    uint64_t next_ns = UINT64_MAX;
    for (const auto& [number, asked] : asked_)
      next_ns = std::min(next_ns, asked.timeout_ns);
    return next_ns;
  }
  // What was sent for the requests that it has asked for and that are under way.
  uint64_t bytes_for(const SharedFetches& its) const {
    uint64_t bytes = 0;
    for (const auto& [number, asked] : asked_)
      bytes += asked.by == &its ? responses_[number].body.size() : 0;
    return bytes;
  }

  void send_any() {
    if (is_idle()) return;
    const auto at = any();
    const size_t bytes = script_.ConsumeIntegralInRange<size_t>(1, 400);
    send(at, std::string(bytes, 'x'), script_.ConsumeIntegralInRange(0, 15) == 15);
  }
  void end_any() {
    if (is_idle()) return;
    const auto at = any();
    end(at, script_.PickValueInArray({"", "", "", "http_404", "http_410", "http_403", "http_503",
                                      "http_429", "connect", "breaker_open"}));
  }
  void end_all() {
    while (!is_idle())
      end(asked_.begin(), "");
  }
  void time_out(uint64_t now_ns) {
    for (auto at = asked_.begin(); at != asked_.end();) {
      const auto one = at++;
      if (one->second.timeout_ns <= now_ns) end(one, "timeout");
    }
  }

  // It takes its responses that have ended.
  void begin_turn(const SharedFetches& its, size_t turn, uint64_t now_ns) {
    for (const auto& [by, number] : ended_) {
      if (by != &its) continue;
      responses_[number].turn = turn;
      responses_[number].put_ns = now_ns;
    }
    std::erase_if(ended_, [&](const auto& one) { return one.first == &its; });
  }
  // It is destroyed.
  void forget(const SharedFetches& its) {
    std::erase_if(asked_, [&](const auto& one) { return one.second.by == &its; });
    std::erase_if(ended_, [&](const auto& one) { return one.first == &its; });
  }

 private:
  struct Asked {
    HttpClient::Request request;
    const SharedFetches* by;
    uint64_t timeout_ns;
  };
  using Requests = std::map<size_t, Asked>;  // by the number of the response

  static size_t number_of(const Attempts::Fetch* fetch) {
    return reinterpret_cast<uintptr_t>(fetch) / 16 - 1;
  }
  static size_t key_of(const HttpClient::Request& request) {
    const auto at = std::ranges::find_if(kKeys, [&](const Key& key) {
      return request.method == key.method && request.target == key.target &&
             request.body == key.body && request.headers == key.headers;
    });
    RM_ASSERT(at != std::end(kKeys));
    return static_cast<size_t>(at - std::begin(kKeys));
  }

  Requests::iterator any() {
    return std::next(asked_.begin(),
                     script_.ConsumeIntegralInRange<ptrdiff_t>(0, std::ssize(asked_) - 1));
  }

  // Sends a piece of the body, which may be announced as longer than there is memory for.
  void send(Requests::iterator at, const std::string& piece, bool is_too_large) {
    const uint64_t announced = SharedFetches::buffer_bytes_max(options_) + 1;
    std::string& body = responses_[at->first].body;
    const std::string bytes = body.empty() ? std::to_string(at->first) + ' ' + piece : piece;
    body += bytes;
    const bool is_taken = at->second.request.on_bytes(bytes, is_too_large ? announced : 0);
    RM_ASSERT(is_taken != is_too_large);
    if (!is_taken) end(at, "no_memory");
  }

  void end(Requests::iterator at, const std::string& reason) {
    const size_t number = at->first;
    if (reason.empty() && responses_[number].body.empty()) send(at, "", false);
    if (!asked_.contains(number)) return;
    const HttpClient::Request request = std::move(at->second.request);
    ended_.emplace_back(at->second.by, number);
    asked_.erase(at);
    responses_[number].reason = reason;
    responses_[number].end = ++ends_;
    std::optional<HttpClient::Failure> failure;
    if (!reason.empty()) failure = {reason, std::to_string(number)};
    request.on_done(std::move(failure), kNsPerMs);
  }

  FuzzedDataProvider& script_;
  const upstream::UpstreamOptions& options_;
  std::vector<Response>& responses_;
  Requests asked_;
  std::vector<std::pair<const SharedFetches*, size_t>> ended_;  // that no turn has taken
  size_t ends_ = 0;
};

}  // namespace ringmaster::fuzz
