#include "upstream/fetch_failure.h"

#include <algorithm>
#include <fmt/format.h>

#include "upstream/curl_request.h"

namespace ringmaster::upstream {
namespace {

// Most 4xx say that the request itself is wrong, so it would fail again. Exceptions: 408 (it came
// too slowly), 425 (too early) and 429 (too often).
bool is_retryable(long status) {
  return status < 400 || status > 499 || status == 408 || status == 425 || status == 429;
}

// The word that a caller's program may compare, for each kind of failure.
const char* reason_of(CURLcode code) {
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return "timeout";
    case CURLE_COULDNT_CONNECT:
      return "connect";
    case CURLE_COULDNT_RESOLVE_HOST:
      return "resolve";
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_HTTP2_STREAM:
      return "truncated";
    default:
      return "protocol";
  }
}

}  // namespace

bool is_success(long status) {
  return status >= 200 && status <= 299;
}

std::optional<uint64_t> retry_after_ms(CURL* easy, long status) {
  curl_off_t seconds = 0;  // stays so without the header, and is negative for a past date
  if (status == 429 || status == 503) curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &seconds);
  if (seconds <= 0) return std::nullopt;
  constexpr curl_off_t kMax = HttpClient::kRetryAfterMsMax / 1000;
  return static_cast<uint64_t>(std::min(seconds, kMax)) * 1000;
}

HttpClient::Failure refused_body(const UpstreamOptions& options, std::string_view reason) {
  if (reason == "too_large") {
    return {
        "too_large",
        fmt::format("upstream {}: a body of more than {} bytes, which is its limit (body_bytes)",
                    options.name, options.body_bytes)};
  }
  return {std::string(reason),
          fmt::format("upstream {}: no payload memory left for its body", options.name)};
}

HttpClient::Failure unwanted_status(const UpstreamOptions& options, long status,
                                    std::string_view redirect_fault) {
  return {fmt::format("http_{}", status),
          fmt::format("upstream {}: expected a status from 200 to 299, found {}{}", options.name,
                      status, redirect_fault),
          is_retryable(status)};
}

HttpClient::Failure broken_transfer(const UpstreamOptions& options, CURLcode code,
                                    std::string_view detail, uint64_t timeout_ms) {
  if (code == CURLE_OPERATION_TIMEDOUT) return timed_out(options, timeout_ms);
  if (code == CURLE_COULDNT_CONNECT && options.url.starts_with(kUnixPrefix)) {
    return {"connect",
            fmt::format("upstream {}: no server listens at {}", options.name, options.url)};
  }
  if (detail.empty()) detail = curl_easy_strerror(code);
  return {reason_of(code), fmt::format("upstream {}: {}", options.name, detail)};
}

HttpClient::Failure timed_out(const UpstreamOptions& options, uint64_t timeout_ms) {
  return {"timeout",
          fmt::format("upstream {}: no whole answer within {} ms", options.name, timeout_ms)};
}

HttpClient::Failure vain_wait(const UpstreamOptions& options, std::string_view why,
                              uint64_t timeout_ms) {
  return {"timeout", fmt::format("upstream {}: {}, for {} ms", options.name, why, timeout_ms)};
}

}  // namespace ringmaster::upstream
