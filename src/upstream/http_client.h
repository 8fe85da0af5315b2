// HttpClient: HTTP calls to one upstream, by libcurl.
//
// Threads: the loop's only.
// Memory:  the body goes to on_bytes as it comes, never collected here. Handles are kept and used
//          again, at most `connections` of them.
// Errors:  every way to fail is one Failure, delivered once, within the time-out.
// Environment proxies are not used.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "base/uv_handle.h"
#include "upstream/options.h"

namespace ringmaster::upstream {

class HttpClient {
 public:
  struct Failure {
    std::string reason;   // one word for programs: "timeout", "http_404", "connect", ...
    std::string message;  // names the upstream, and what happened
  };

  struct Request {
    std::string body;  // JSON: a POST; empty: a GET
    uint64_t timeout_ms = 0;
    // A piece of the body. `expected` is the whole body's size as announced, 0 where it was not.
    // False: no room for it; the fetch then fails with reason "no_memory".
    std::function<bool(std::string_view bytes, uint64_t expected)> on_bytes;
    // The end, once, unless cancelled: no failure means status 200 to 299 and a whole body.
    std::function<void(std::optional<Failure>)> on_done;
  };

  // Fails (71) when libcurl cannot be set up.
  [[nodiscard]] static Result<std::unique_ptr<HttpClient>> create(uv_loop_t* loop,
                                                                  const UpstreamOptions& options);
  ~HttpClient();

  // How many it may come to have.
  static uint64_t descriptors_max(const UpstreamOptions& options);

  // Identifies a fetch until its on_done was called or it was cancelled.
  struct Fetch;
  // Never calls back before it has returned.
  Fetch* start(Request request);
  void cancel(Fetch* fetch);

  const UpstreamOptions& options() const { return options_; }

 private:
  HttpClient(uv_loop_t* loop, const UpstreamOptions& options);
  struct Curl;

  UpstreamOptions options_;
  std::unique_ptr<Curl> curl_;
};

}  // namespace ringmaster::upstream
