// How libcurl is told what a request is made of.
//
// Threads: the loop's only.
#pragma once

#include <cstdint>
#include <curl/curl.h>
#include <string>
#include <string_view>
#include <vector>

#include "upstream/http_client.h"

namespace ringmaster::upstream {

inline constexpr std::string_view kUnixPrefix = "unix:";

// The TLS files of the upstream, and its unix socket.
void set_security(CURL* easy, const UpstreamOptions& options);

// The method and the body. The body stays in the request.
void set_method(CURL* easy, const HttpClient::Request& request);

// The headers of a request. The next request gets the same memory.
class RequestHeaders {
 public:
  // `spent_ms`: of the request's time, on redirects. `has_lost_body`: a redirect asked for a GET.
  // libcurl's list points into the request and into this object.
  void set(CURL* easy, const HttpClient::Request& request, uint64_t spent_ms, bool has_lost_body);

 private:
  std::string id_, timeout_, trace_;
  std::vector<curl_slist> list_;
};

}  // namespace ringmaster::upstream
