// SharedFetches: lets fetches share answers: with equal fetches that are under way at the same time
// (coalesce), and with former ones (cache).
//
// A *flight* is one request to the upstream, with the fetches that wait for its answer. It goes on
// while any of them waits. What the upstream has decided (Answer::is_decision) is for all of them.
// If the flight ends without a decision, those fail that waited when it began, unless the cache has
// an answer for this case. The others came later and have not had a try of their own: they begin
// the next flight together.
//
//                     .--> cancelled: no fetch waits any more
//   start() --> asking --> ended --turn()--> ready --turn()--> answered
//      '--- the cache has an answer --------------^
//
// Pure; the master only. Time is an argument. No callback of a fetch is called but in turn(), which
// may call start() and cancel().
// Memory: a flight holds its body until all its fetches have a copy. The bodies of all flights of
//         an upstream have at most buffer_bytes_max(); a flight beyond that fails with "no_memory".
//         At most 1000 flights renew stale answers: no request waits for these, so
//         limits.requests_in_flight does not bound them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "base/keyed_hash.h"
#include "base/telemetry/moving_average.h"
#include "upstream/answer_cache.h"
#include "upstream/attempts.h"
#include "upstream/options.h"

namespace ringmaster::upstream {

// How a fetch got its answer.
enum class Sharing : uint8_t {
  kMiss,       // the upstream was asked for it
  kCoalesced,  // the upstream was asked for an equal fetch
  kHit,        // the cache had it, at the start or when the fetch failed
  kStale,      // likewise, but older than its time to live
};
inline constexpr size_t kSharings = 4;
inline constexpr std::array<std::string_view, kSharings> kSharingNames = {"miss", "coalesced",
                                                                          "hit", "stale"};

// How many fetches got their answer in each way, failures included.
using SharingCounts = std::array<uint64_t, kSharings>;

class SharedFetches {
 public:
  // Asks the upstream: Attempts.
  struct Source {
    std::function<Attempts::Fetch*(HttpClient::Request)> start;
    std::function<void(Attempts::Fetch*, bool is_late)> cancel;
    std::function<void(Attempts::Fetch*, const void* client)> share_turn;
    std::function<void()> wake;  // turn() should be called soon
  };

  // To share a request the master hashes it, which takes 1 ms at this length: longer ones are not
  // shared.
  static constexpr uint64_t kRequestBytesMax = 256 << 10;
  static bool may_share(const HttpClient::Request& request) {
    return request.body.size() <= kRequestBytesMax;
  }
  static uint64_t buffer_bytes_max(const UpstreamOptions& options);

  // `options` must outlive it.
  SharedFetches(const UpstreamOptions& options, Source source);
  ~SharedFetches();
  SharedFetches(const SharedFetches&) = delete;
  SharedFetches& operator=(const SharedFetches&) = delete;

  // Identifies a fetch until its on_done has returned or it was cancelled.
  struct Fetch;
  static Sharing sharing_of(const Fetch& fetch);

  // See Attempts::start(). REQUIRES: may_share(request).
  Fetch* start(HttpClient::Request request, uint64_t now_ns);
  // `is_late`: the job's time is over. The fetch may have joined its flight just before. So this
  // speaks against the upstream only if the flight is as old by now as recent ones were when they
  // were answered. If none was answered yet, it does in any case.
  void cancel(Fetch* fetch, bool is_late, uint64_t now_ns);
  // Fails the fetches whose timeout is over, and answers others, but stops after kTurnBytes: the
  // event loop must have its turn.
  void turn(uint64_t now_ns);
  // Whether there is something to do for turn() now.
  bool is_due() const { return !ended_.empty() || !ready_.empty(); }
  // When turn() must tell a fetch next that it has timed out. UINT64_MAX: no fetch times out before
  // its flight.
  uint64_t next_timeout_ns() const;

  // Goes on with the answers and the counts of `before`, which may go on, too.
  void adopt(const SharedFetches& before);
  const AnswerCache& cache() const { return kept_->cache; }
  const SharingCounts& counts() const { return kept_->counts; }
  // The part of the recent fetches that the cache did not answer at once.
  double asked_part() const { return kept_->asked.is_known() ? kept_->asked.mean() : 1; }
  // The bytes of the bodies of all flights.
  uint64_t buffer_bytes() const { return buffer_bytes_; }

 private:
  struct Flight;
  using Flights = std::list<Flight>;
  using Timeouts = std::multimap<uint64_t, Fetch*>;

  // A turn answers fetches, at least one, until their bodies have so many bytes. Each fetch counts
  // for kFetchBytes more: to copy so many bytes takes as long as all else that is done for it.
  static constexpr uint64_t kTurnBytes = 1 << 20;
  static constexpr uint64_t kFetchBytes = 8 << 10;

  // What outlives a configuration.
  struct Kept {
    explicit Kept(const CacheOptions& options) : cache(options) {}

    AnswerCache cache;
    SharingCounts counts{};
    telemetry::MovingAverage asked{64};  // 0 for a fetch that the cache answers at once, else 1
  };

  Fetch* add(Flight& flight, HttpClient::Request request, Sharing sharing, uint64_t now_ns);
  Flight& add_flight(Flights& to, const KeyedHash& key);
  Flight& add_ready(const KeyedHash& key, SharedAnswer answer);
  // Asks the upstream in the name of the flight's first fetch.
  void ask(Flight& flight, uint64_t now_ns);
  void ask(Flight& flight, HttpClient::Request request, uint64_t now_ns);
  bool take_bytes(Flight& flight, std::string_view bytes, uint64_t expected);
  void cancel_if_unused(Flight& flight);
  void set_buffered(Flight& flight, uint64_t bytes);
  void on_ended(Flight& flight, std::optional<HttpClient::Failure> failure, uint64_t took_ns);
  void time_out(uint64_t now_ns);
  // Decides what the fetches of an ended flight get.
  void settle(Flight& flight, uint64_t now_ns);
  void try_again(Flight& failed, uint64_t now_ns);
  void answer_next(Flight& flight, uint64_t now_ns);
  void close(Flight& flight);
  void erase(Flights& from, Flight& flight);
  void forget_timeout(Fetch& fetch);

  const UpstreamOptions& options_;
  const Source source_;
  std::shared_ptr<Kept> kept_;
  Flights asking_, ended_, ready_;
  std::unordered_map<KeyedHash, Flight*, KeyedHash::Bucket> open_;  // that fetches may join
  Timeouts timeouts_;  // of fetches whose flight may go on for longer than they wait
  telemetry::MovingAverage answered_ns_{64};  // the age of flights at their answer
  uint64_t buffer_bytes_ = 0;
  uint64_t refreshes_ = 0;  // flights that renew an answer
};

}  // namespace ringmaster::upstream
