// Options of an upstream. config fills them, defaults included.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace ringmaster::upstream {

enum class HttpVersion : uint8_t {
  kAuto,   // what TLS negotiates; without TLS HTTP/1.1
  kHttp1,  // HTTP/1.1
  kHttp2,  // what TLS negotiates, and HTTP/2 is expected before the first response. With https only
};

inline constexpr size_t kAddressesMax = 16;  // of an upstream

// A second copy of a fetch: see hedge_delay.h.
struct Hedge {
  uint64_t after_ms = 0;          // 0: after_percentile counts
  uint64_t after_percentile = 0;  // both 0: there are no hedges
  uint64_t budget_percent = 5;    // at most so many hedges for 100 fetches

  bool is_on() const { return after_ms > 0 || after_percentile > 0; }
  bool operator==(const Hedge&) const = default;
};

// The table `cache` of an upstream. All times 0: no response is kept.
struct CacheOptions {
  uint64_t ttl_ms = 0;
  uint64_t negative_ttl_ms = 0;            // of 404 and 410
  uint64_t stale_while_revalidate_ms = 0;  // after ttl_ms: used, while a fetch renews it
  uint64_t stale_if_error_ms = 0;          // after ttl_ms: used instead of a failure
  uint64_t bytes = 32ull << 20;

  bool is_on() const {
    return ttl_ms > 0 || negative_ttl_ms > 0 || stale_while_revalidate_ms > 0 ||
           stale_if_error_ms > 0;
  }
  bool operator==(const CacheOptions&) const = default;
};

// An HTTP service that fetch steps call: [upstreams.NAME].
struct UpstreamOptions {
  std::string name;
  std::string url;                                           // "unix:PATH": a unix socket
  std::vector<std::string> further_urls;                     // other addresses of the service
  std::vector<std::pair<std::string, std::string>> headers;  // of every fetch: name, template
  std::string tls_ca_file;           // of an https server's certificate; empty: the system's CAs
  std::string tls_certificate_file;  // shown to the server; empty: none
  std::string tls_key_file;
  bool resolves = false;  // the url's host name: its addresses are those of the service
  HttpVersion http = HttpVersion::kAuto;
  bool follows_redirects = false;  // within the url's origin; else a redirect is a failure
  uint64_t timeout_ms = 1000;
  uint64_t connections = 256;         // at once; further fetches wait for one
  uint64_t body_bytes = 16ull << 20;  // a longer response is an upstream failure
  bool is_idempotent = false;         // each fetch may be sent twice; else only a GET may
  uint64_t attempts = 1;              // of one fetch
  bool has_breaker = false;
  Hedge hedge = {};
  uint64_t in_flight = 10'000;  // fetches at once; 0: adapted to how the upstream copes
  bool coalesce = false;        // equal requests that are in flight at once are sent as one
  CacheOptions cache;

  bool operator==(const UpstreamOptions&) const = default;
};

}  // namespace ringmaster::upstream
