// Attempts: the fetches of one upstream, each of which may be sent more than once, to any of the
// upstream's addresses.
//
// Addresses: either each URL is one, and has an HttpClient with an equal part of the connections.
//          Or (`resolves`) the IP addresses of the URL's host come and go as NameLookup finds them.
//          They share one HttpClient, so that no connections must be shared out anew. Until the
//          first lookup has succeeded, libcurl looks the host up. Each lookup ends the
//          idle connections to addresses that are gone.
// Threads: the loop's only.
// Retries: a failed attempt is followed by another while `attempts`, the retry budget (see there)
//          and the fetch's time allow. The attempts of a fetch share its timeout. A fetch that
//          must not be done twice is sent again only if it has reached nobody (`connect`,
//          `resolve`). The next attempt begins at once, unless the upstream has named a time
//          (retry_after_ms) and no other address is left: then at that time, if the fetch's timeout
//          allows. If the breaker is open then, the fetch fails as its last attempt did.
// Hedges:  a fetch that has no whole answer after HedgeDelay is sent a second time, if it may be
//          done twice, within a budget of its own. A fetch that finds the budget empty is hedged
//          once a later fetch has filled it. The first whole answer decides, or the first 64 KiB of
//          a body: the other copy is cut off, at the end of the fetch at the latest.
// Bodies:  no byte is held back, but for the first 64 KiB of each copy of a fetch that may be
//          hedged. From the first byte of a body that on_bytes got, no other attempt follows: if
//          this attempt fails, so does the fetch. An error's body counts for nothing.
// Breaker: while it is open, new fetches fail in the next turn of the loop, with "breaker_open".
//          The end of each attempt counts, as outcome.h says.
// Limit:   `in_flight`: a number, of which each HttpClient has an equal part, or an AdaptiveLimit
//          for each HttpClient. Further attempts wait as they do for a connection.
// Memory:  a fetch that may be sent again keeps a copy of its request until it ends. One that may
//          be hedged keeps the held bytes, too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/uv_handle.h"
#include "upstream/adaptive_limit.h"
#include "upstream/balancer.h"
#include "upstream/breaker.h"
#include "upstream/hedge_delay.h"
#include "upstream/http_client.h"
#include "upstream/name_lookup.h"
#include "upstream/outcome.h"
#include "upstream/retry_budget.h"

namespace ringmaster::upstream {

class Attempts {
 public:
  using Failure = HttpClient::Failure;
  using Request = HttpClient::Request;
  struct Counts {
    uint64_t retries = 0;
    uint64_t hedges = 0;
    uint64_t breaker_opened = 0;
  };

  // Fails (71) when libcurl cannot be set up.
  [[nodiscard]] static Result<std::unique_ptr<Attempts>> create(uv_loop_t* loop,
                                                                const UpstreamOptions& options);
  ~Attempts();

  // The most descriptors that it uses.
  static uint64_t descriptors_max(const UpstreamOptions& options);

  // Identifies a fetch until its on_done was called or it was cancelled. As in HttpClient, there is
  // no callback before start() has returned.
  struct Fetch;
  Fetch* start(Request request);
  // `is_late`: the upstream has used up the fetch's time, so this counts as a timeout. Else the
  // fetch is not needed any more, which says nothing about the upstream.
  void cancel(Fetch* fetch, bool is_late);
  // Another client needs this fetch, too. If the fetch waits for a connection, and would get one
  // sooner as the last fetch in this client's queue, it moves there.
  void share_turn(Fetch* fetch, const void* client);

  // Fetches that have not ended; attempts that wait for a connection.
  size_t in_flight() const { return busy_.size(); }
  size_t waiting() const;
  uint64_t limit() const;  // of attempts that have a connection
  const UpstreamOptions& options() const { return options_; }
  // How long one more fetch of this client would wait for a connection.
  double wait_ns(const void* client) const;
  const Counts& counts() const { return counts_; }
  const Balancer& balancer() const { return balancer_; }
  bool is_breaker_open() const { return breaker_.is_open(); }

 private:
  Attempts(uv_loop_t* loop, const UpstreamOptions& options);

  using Due = std::multimap<uint64_t, Fetch*>;  // by the time at which something is due

  Fetch* take_fetch();
  struct Copy;

  void set_addresses(const std::vector<std::string>& found);
  // The index of its URL, in clients_ and limits_.
  size_t url_of(Balancer::Choice choice) const;
  std::string_view address_of(Balancer::Choice choice) const;

  void send(Copy& copy, Breaker::Pass pass, uint64_t now_ns);
  bool try_again(Copy& copy, const Failure& failure, uint64_t now_ns);
  void repeat(Copy& copy, uint64_t now_ns);
  void try_hedge(Fetch& fetch, uint64_t now_ns);
  void hedge_one_in_want(uint64_t now_ns);
  static bool has_time(const Fetch& fetch, uint64_t now_ns);
  void wait(Fetch& fetch, uint64_t due_ns, uint64_t now_ns);
  void stop_waiting(Fetch& fetch);
  void look_again(uint64_t now_ns);
  void look_at_due();
  void refuse(Fetch& fetch, uint64_t now_ns);
  void on_done(Copy& copy, std::optional<Failure> failure, uint64_t took_ns);
  // `is_late`: see cancel().
  void cut_off(Copy& copy, bool is_late, uint64_t now_ns);
  void adapt_limit(const Copy& copy, uint64_t took_ns, uint64_t now_ns);
  void end_attempt(Copy& copy, Outcome outcome, std::string_view reason, uint64_t took_ns,
                   uint64_t now_ns);
  void recycle(Fetch& fetch);

  const UpstreamOptions options_;
  std::vector<std::unique_ptr<HttpClient>> clients_;  // by URL
  std::vector<AdaptiveLimit> limits_;                 // by URL; none: the limit is fixed
  Balancer balancer_;
  Breaker breaker_;  // unused if the upstream has none
  RetryBudget retry_budget_;
  HedgeDelay hedge_delay_;
  SpareBudget hedge_budget_;
  Counts counts_;
  std::vector<std::unique_ptr<Fetch>> busy_;
  std::vector<std::unique_ptr<Fetch>> idle_;  // for reuse
  Due due_;                                   // fetches to be refused, sent again or hedged
  UvHandle<uv_timer_t> timer_;                // runs while due_ has any
  std::unique_ptr<NameLookup> lookup_;        // null: each URL is an address
};

}  // namespace ringmaster::upstream
