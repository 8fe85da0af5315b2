// The keys of [upstreams.NAME]: see keys.h.
#pragma once

#include "config/key.h"
#include "upstream/options.h"

namespace ringmaster::config {

using upstream::CacheOptions;
using upstream::UpstreamOptions;

// The members of `hedge` in [upstreams.NAME]. `after` may be "p50" to "p99", too.
inline constexpr Key<upstream::Hedge> kHedgeKeys[] = {
    {"after", "After which time a second copy is sent.", Type::kMs, 1, kHourMs},
    {"budget_percent", "The most second copies for 100 fetches.", Type::kCount, 1, 100,
     &upstream::Hedge::budget_percent},
};

// The members of `cache` in [upstreams.NAME].
inline constexpr Key<CacheOptions> kCacheKeys[] = {
    {"ttl_ms", "How long a response is used again.", Type::kMs, 0, 24 * kHourMs,
     &CacheOptions::ttl_ms},
    {"negative_ttl_ms", "How long a 404 or 410 is used again.", Type::kMs, 0, 24 * kHourMs,
     &CacheOptions::negative_ttl_ms},
    {"stale_while_revalidate_ms",
     "For how long after ttl_ms a response is still used, while a fetch renews it.", Type::kMs, 0,
     24 * kHourMs, &CacheOptions::stale_while_revalidate_ms},
    {"stale_if_error_ms", "For how long after ttl_ms a response is still used if a fetch fails.",
     Type::kMs, 0, 24 * kHourMs, &CacheOptions::stale_if_error_ms},
    {"bytes", "The memory of the cache.", Type::kBytes, 64 * kKiB, 64 * kGiB, &CacheOptions::bytes},
};

// [upstreams.NAME]
inline constexpr Key<UpstreamOptions> kUpstreamsKeys[] = {
    {"url",
     "Where the service is. Paths of steps follow it. \"unix:PATH\" is HTTP over a unix socket. "
     "An array has several addresses of one service: each fetch goes to the less busy and quicker "
     "one of two random addresses, and an address that fails is left out for a while.",
     Type::kUrl},
    {"resolve",
     "true: each IP address of the host name in `url` counts as an address of the service, like "
     "each URL of an array. The name is looked up every 5 s. This needs a single `url` with a host "
     "name; with https:// also `http` = \"1.1\", or `connections` of 32 or more. false: libcurl "
     "chooses among the addresses, and looks the name up only for a new connection.",
     Type::kFlag},
    {"headers",
     "Headers of every fetch. Values are templates, but without params and steps: for example "
     "\"Bearer ${secret.NAME}\". A step's own header replaces the one of the same name.",
     Type::kFields},
    {"http",
     "The version of HTTP. \"auto\": what TLS negotiates, and 1.1 without TLS. \"1.1\": always "
     "1.1. \"2\", for https:// only: as \"auto\", but ringmaster expects HTTP/2 from the first "
     "fetch on. A connection of HTTP/2 serves up to 100 fetches at once.",
     Type::kHttpVersion},
    {"redirects",
     "Which redirects (301, 302, 303, 307, 308) are followed, at most 5 for a fetch: \"none\", or "
     "\"same-origin\": those that stay within the scheme, host and port of `url`. Any other one "
     "is an upstream failure.",
     Type::kRedirects},
    {"timeout_ms",
     "The timeout of one fetch, or the rest of the method's timeout_ms if that is less. Set it to "
     "the time of a slow but healthy response: the request then fails with -32015 while the "
     "client can still retry.",
     Type::kMs, 1, kHourMs, &UpstreamOptions::timeout_ms},
    {"connections",
     "The most connections to this upstream; further fetches wait for one. R fetches a second of "
     "S seconds each need R*S connections, and a hundredth of them with HTTP/2. Each of several "
     "URLs gets an equal share of the connections. The addresses that `resolve` finds share them.",
     Type::kCount, 1, 10'000, &UpstreamOptions::connections},
    {"body_bytes",
     "The longest response body that is accepted; a longer one is an upstream failure.",
     Type::kBytes, kKiB, kGiB, &UpstreamOptions::body_bytes},
    {"tls_ca_file",
     "A file with the trusted CAs for an https:// service, in PEM; \"\": the system's CAs. New "
     "connections read the file.",
     Type::kOptionalPath},
    {"tls_certificate_file",
     "The certificate that is shown to an https:// service, in PEM; \"\" shows none.",
     Type::kOptionalPath},
    {"tls_key_file", "The key of that certificate, in PEM.", Type::kOptionalPath},
    {"idempotent",
     "true: the service may get any request twice, not only a GET. false: a fetch that is no GET "
     "is sent again only if it has reached no server, and `hedge`, `coalesce` and `cache` are for "
     "GETs only.",
     Type::kFlag},
    {"attempts",
     "How often a fetch is sent in all, if it fails without a whole answer or with a status of "
     "500 or more. Retries are at most a fifth of all fetches, and share the fetch's timeout.",
     Type::kCount, 1, 5, &UpstreamOptions::attempts},
    {"breaker",
     "true: after 10 quick failures or 5 timeouts in a row, or when about a quarter of the "
     "fetches fails, further fetches fail at once (-32015, `breaker_open`). Once in 100 to 800 ms "
     "one fetch is still sent, to probe the service.",
     Type::kFlag},
    {"hedge",
     "When a fetch without an answer is sent a second time. `after` is a number of ms, or "
     "\"p95\": the time within which 95 % of the recent fetches were answered. The first answer "
     "counts, and the other copy is cut off. At most `budget_percent` of all fetches are sent "
     "twice, by default 5. {} sends none twice.",
     Type::kHedge},
    {"in_flight",
     "The most fetches at once; further ones wait, as for a connection. \"auto\": the server "
     "finds the limit: it lowers the limit when the service's answers get slower than usual. "
     "`connections` is a limit in any case.",
     Type::kCountOrAuto, 1, 10'000, &UpstreamOptions::in_flight},
    {"coalesce",
     "true: of equal requests at the same time only one is sent, and all get its response. Set it "
     "where many requests ask for the same thing at once.",
     Type::kFlag},
    {"cache",
     "How long responses are used again for equal requests, and the memory for them. {} keeps "
     "none. Members: ttl_ms, negative_ttl_ms (of 404 and 410), stale_while_revalidate_ms (after "
     "ttl_ms, while a fetch renews the response), stale_if_error_ms (after ttl_ms, where a fetch "
     "fails), each 0 by default, and bytes, by default \"32MiB\". A reload that does not change "
     "the upstream's table keeps the responses.",
     Type::kCache},
};

// In the order of HttpVersion.
inline constexpr std::string_view kHttpVersions[] = {"auto", "1.1", "2"};
inline constexpr std::string_view kRedirects[] = {"none", "same-origin"};

}  // namespace ringmaster::config
