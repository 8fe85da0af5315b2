// HttpClient: HTTP calls to one upstream, by libcurl.
//
// Threads: the loop's only.
// Memory:  the body goes to on_bytes as it comes; none of it is kept here. At most `connections`
//          handles are kept for reuse.
// Errors:  every failure is one Failure, reported once, within the timeout. Environment proxies are
//          not used.
// Limits:  at most 5 redirects of a fetch are followed, if options().follows_redirects: see
//          redirect.h.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/uv_handle.h"
#include "upstream/options.h"

namespace ringmaster::upstream {

class HttpClient {
 public:
  static constexpr uint64_t kRetryAfterMsMax = 3'600'000;

  struct Failure {
    std::string reason;        // one word for programs: "timeout", "http_404", "connect", ...
    std::string message;       // names the upstream, and what happened
    bool is_retryable = true;  // the same request may succeed later
    // When the upstream wants the next try (Retry-After of a 429 or 503), at most kRetryAfterMsMax.
    std::optional<uint64_t> retry_after_ms = std::nullopt;
    bool was_redirected = false;  // a server has got the request, whatever the reason
  };

  struct Request {
    std::string_view method;  // points into the configuration
    std::string target;       // path and query, to follow the URL
    std::string body;
    std::vector<std::string> headers;               // "NAME: VALUE"
    std::span<const std::string> constant_headers;  // the same, in the configuration
    uint64_t number = 0;      // sent as X-Request-Id; 0: no request of a client
    uint64_t timeout_ms = 0;  // of this fetch
    uint64_t left_ms = 0;     // until the job's deadline; X-Request-Timeout-Ms: the shorter of both
    std::string traceparent;  // sent as that header; empty: none
    // Identifies the client until the fetch is done; never dereferenced. Clients take turns where
    // fetches wait for a connection.
    const void* client = nullptr;
    // A piece of the body of a status from 200 to 299; for an empty body "null", once.
    // `expected`: the announced size of the whole body; 0: not announced. False: no room for it;
    // the fetch then fails with reason "no_memory".
    std::function<bool(std::string_view bytes, uint64_t expected)> on_bytes;
    // Called once, at the end, unless cancelled. No failure: status 200 to 299 and a whole body.
    // `took_ns`: the time since the fetch got a connection; after redirects, the last one.
    std::function<void(std::optional<Failure>, uint64_t took_ns)> on_done;
    // Whether libcurl may send it again by itself if a kept connection ends without an answer.
    // False: such a fetch fails ("truncated"). In any case libcurl sends it again if the server has
    // refused its HTTP/2 stream.
    bool is_repeatable = true;
  };

  // Fails (71) when libcurl cannot be set up.
  [[nodiscard]] static Result<std::unique_ptr<HttpClient>> create(uv_loop_t* loop,
                                                                  const UpstreamOptions& options);
  ~HttpClient();

  // The most descriptors that a client uses.
  static uint64_t descriptors_max(const UpstreamOptions& options);

  // Identifies a fetch until its on_done was called or it was cancelled.
  struct Fetch;
  // No callback before start() has returned. `address`: an IP address, to which the fetch connects
  // instead of looking up the URL's host; empty: none. All else is done as with that host.
  Fetch* start(Request request, const std::string& address = "");
  void cancel(Fetch* fetch);
  // See ConnectionPool.
  void share_turn(Fetch* fetch, const void* client);

  // Whether the fetch has a connection.
  static bool is_sent(const Fetch& fetch);
  // For how long the fetch has had a connection; 0: it waits for one.
  static uint64_t sent_for_ns(const Fetch& fetch, uint64_t now_ns);
  // Fetches that have not ended; of these, those that wait for a connection.
  size_t in_flight() const;
  size_t waiting() const;
  const UpstreamOptions& options() const { return options_; }
  // See CurlLoop.
  void end_idle_except(std::span<const std::string> addresses);
  // See ConnectionPool: fetches with a connection.
  void set_limit(uint64_t fetches);
  uint64_t limit() const;
  uint64_t capacity() const;
  // How long one more fetch of this client would wait for a connection.
  double wait_ns(const void* client) const;

 private:
  HttpClient(uv_loop_t* loop, const UpstreamOptions& options);
  struct Curl;

  UpstreamOptions options_;
  std::unique_ptr<Curl> curl_;
};

}  // namespace ringmaster::upstream
