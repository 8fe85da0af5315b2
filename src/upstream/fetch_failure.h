// Why a fetch has failed: a word for programs, and a text for people that names the upstream.
//
// Pure, but for retry_after_ms(), which asks libcurl.
#pragma once

#include <cstdint>
#include <curl/curl.h>
#include <optional>
#include <string_view>

#include "upstream/http_client.h"

namespace ringmaster::upstream {

bool is_success(long status);

// What Retry-After says, in seconds or as a date, if a response with this status has it.
std::optional<uint64_t> retry_after_ms(CURL* easy, long status);

// The body of a success was not taken. `reason`: "too_large" or "no_memory".
HttpClient::Failure refused_body(const UpstreamOptions& options, std::string_view reason);
// A whole response came. `redirect_fault`: why its redirect is not followed; empty: it has none.
HttpClient::Failure unwanted_status(const UpstreamOptions& options, long status,
                                    std::string_view redirect_fault);
// No whole response came. `detail`: libcurl's text about this transfer; empty: none.
HttpClient::Failure broken_transfer(const UpstreamOptions& options, CURLcode code,
                                    std::string_view detail, uint64_t timeout_ms);
// No whole response came in time.
HttpClient::Failure timed_out(const UpstreamOptions& options, uint64_t timeout_ms);
// The fetch got no connection in time. `why`: for a person.
HttpClient::Failure vain_wait(const UpstreamOptions& options, std::string_view why,
                              uint64_t timeout_ms);

}  // namespace ringmaster::upstream
