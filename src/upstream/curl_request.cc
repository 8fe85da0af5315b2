#include "upstream/curl_request.h"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>

#include "base/ascii.h"

namespace ringmaster::upstream {
namespace {

bool names_content_type(std::string_view header) {
  constexpr std::string_view kName = "Content-Type:";
  return iequals(header.substr(0, kName.size()), kName);
}

}  // namespace

void set_security(CURL* easy, const UpstreamOptions& options) {
  const auto set_file = [easy](CURLoption option, const std::string& file) {
    if (!file.empty()) curl_easy_setopt(easy, option, file.c_str());
  };
  set_file(CURLOPT_CAINFO, options.tls_ca_file);
  set_file(CURLOPT_SSLCERT, options.tls_certificate_file);
  set_file(CURLOPT_SSLKEY, options.tls_key_file);
  if (options.url.starts_with(kUnixPrefix)) {
    curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, options.url.c_str() + kUnixPrefix.size());
  }
}

void set_method(CURL* easy, const HttpClient::Request& request) {
  const bool is_get = request.method == "GET", is_post = request.method == "POST";
  // Without a body, a GET or DELETE has no Content-Length; other methods have one of 0.
  if (request.body.empty() && (is_get || request.method == "DELETE")) {
    curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
  } else {
    const auto size = static_cast<curl_off_t>(request.body.size());
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, size);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.data());
  }
  const std::string method(is_get || is_post ? "" : request.method);
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method.empty() ? nullptr : method.c_str());
}

void RequestHeaders::set(CURL* easy, const HttpClient::Request& request, uint64_t spent_ms,
                         bool has_lost_body) {
  // 100-continue would cost a round trip; without a type libcurl would send that of a form.
  static std::string no_continue = "Expect:", no_type = "Content-Type:";
  id_.clear();
  timeout_.clear();
  fmt::format_to(std::back_inserter(id_), "X-Request-Id: {}", request.number);
  const uint64_t allowed_ms = std::min(request.timeout_ms, request.left_ms);
  fmt::format_to(std::back_inserter(timeout_), "X-Request-Timeout-Ms: {}",
                 allowed_ms - std::min(allowed_ms, spent_ms));
  list_.clear();
  const auto add = [&](const std::string& line) {
    list_.push_back({const_cast<char*>(line.c_str()), nullptr});
  };
  add(no_continue);
  if (request.body.empty()) add(no_type);
  if (request.number > 0) {
    add(id_);
    add(timeout_);
  }
  if (!request.traceparent.empty()) {
    trace_ = "traceparent: " + request.traceparent;
    add(trace_);
  }
  const auto add_own = [&](const std::string& line) {
    if (!has_lost_body || !names_content_type(line)) add(line);
  };
  std::ranges::for_each(request.constant_headers, add_own);
  std::ranges::for_each(request.headers, add_own);
  for (size_t i = 1; i < list_.size(); ++i)
    list_[i - 1].next = &list_[i];
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list_.data());
}

}  // namespace ringmaster::upstream
