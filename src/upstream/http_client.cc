#include "upstream/http_client.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <utility>
#include <vector>

#include "base/ascii.h"
#include "base/clock.h"
#include "upstream/connection_pool.h"
#include "upstream/redirect.h"

namespace ringmaster::upstream {
namespace {

constexpr unsigned kRedirectsMax = 5;
constexpr std::string_view kNull = "null";

bool is_success(long status) {
  return status >= 200 && status <= 299;
}

// Most 4xx say that the request itself is wrong, so it would fail again. Exceptions: 408 (it came
// too slowly), 425 (too early) and 429 (too often).
bool is_retryable(long status) {
  return status < 400 || status > 499 || status == 408 || status == 425 || status == 429;
}

// What Retry-After says, in seconds or as a date.
std::optional<uint64_t> retry_after_ms(CURL* easy, long status) {
  curl_off_t seconds = 0;  // stays so without the header, and is negative for a past date
  if (status == 429 || status == 503) curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &seconds);
  if (seconds <= 0) return std::nullopt;
  constexpr curl_off_t kMax = HttpClient::kRetryAfterMsMax / 1000;
  return static_cast<uint64_t>(std::min(seconds, kMax)) * 1000;
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

constexpr std::string_view kUnixPrefix = "unix:";

std::string whole_url_of(const std::string& url) {
  return url.starts_with(kUnixPrefix) ? "http://localhost/" : url;
}

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

bool names_content_type(std::string_view header) {
  constexpr std::string_view kName = "Content-Type:";
  return iequals(header.substr(0, kName.size()), kName);
}

// The body stays in the request.
void set_method(CURL* easy, const HttpClient::Request& request) {
  const bool is_get = request.method == "GET", is_post = request.method == "POST";
  // GET and DELETE without a body say nothing of one; the others say that it is empty.
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

}  // namespace

struct HttpClient::Fetch : ConnectionPool::Transfer {
  Request request;
  Curl* curl = nullptr;
  char error[CURL_ERROR_SIZE] = "";
  std::string url;                         // the one that its handle has
  std::array<std::string, 3> own_headers;  // id, timeout, trace: kept for their memory
  std::vector<curl_slist> header_list;     // of all its headers
  size_t at = 0;                           // index in `busy`
  bool has_head = false;                   // the response's, to its end
  uint64_t received = 0;
  unsigned redirects = 0;         // that were followed
  uint64_t spent_ms = 0;          // on them
  bool has_lost_body = false;     // one of them asked for a GET
  const char* refusal = nullptr;  // why the body was refused
};

struct HttpClient::Curl {
  Curl(uv_loop_t* loop, const UpstreamOptions& options_)
      : options(options_),
        whole_url(whole_url_of(options.url)),
        base_url(whole_url.ends_with('/') ? whole_url.substr(0, whole_url.size() - 1) : whole_url),
        pool(loop, options, [this](ConnectionPool::Transfer& transfer, CURLcode code) {
          on_done(static_cast<Fetch&>(transfer), code);
        }) {}

  static size_t on_header(char* line, size_t, size_t size, void* user);
  static size_t on_body(char* bytes, size_t, size_t size, void* user);
  void on_done(Fetch& fetch, CURLcode code);
  std::unique_ptr<Fetch> make_fetch();
  void set_url(Fetch& fetch) const;
  void set_headers(Fetch& fetch) const;
  using MaybeRedirect = std::optional<tl::expected<Redirect, std::string>>;
  static MaybeRedirect redirect_of(const Fetch& fetch, long status);
  bool follow(Fetch& fetch, long status);
  void send(Fetch& fetch);
  Failure failure_of(const Fetch& fetch, CURLcode code, long status) const;
  std::string fault_of_redirect(const Fetch& fetch, long status) const;
  void recycle(Fetch* fetch);

  const UpstreamOptions& options;
  const std::string whole_url;  // of a fetch without a target
  const std::string base_url;   // targets follow it
  ConnectionPool pool;
  std::vector<std::unique_ptr<Fetch>> idle;  // for reuse
  std::vector<std::unique_ptr<Fetch>> busy;
};

// A redirect and a status of 1xx have heads, too: the last one counts.
size_t HttpClient::Curl::on_header(char* line, size_t, size_t size, void* user) {
  auto* fetch = static_cast<Fetch*>(user);
  const std::string_view text(line, size);
  if (text.starts_with("HTTP/")) fetch->has_head = false;
  if (text == "\r\n" || text == "\n") fetch->has_head = true;
  return size;
}

size_t HttpClient::Curl::on_body(char* bytes, size_t, size_t size, void* user) {
  auto* fetch = static_cast<Fetch*>(user);
  curl_off_t announced = 0;
  long status = 0;
  curl_easy_getinfo(fetch->easy.get(), CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(fetch->easy.get(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
  const uint64_t expected = announced > 0 ? static_cast<uint64_t>(announced) : 0;
  fetch->received += size;
  const bool is_too_large = std::max(expected, fetch->received) > fetch->curl->options.body_bytes;
  if (!is_success(status)) return is_too_large ? 0 : size;  // the body of an error is not used
  if (is_too_large) {
    fetch->refusal = "too_large";
  } else if (!fetch->request.on_bytes({bytes, size}, expected)) {
    fetch->refusal = "no_memory";
  }
  return fetch->refusal == nullptr ? size : 0;
}

void HttpClient::Curl::on_done(Fetch& fetch, CURLcode code) {
  long status = 0;
  curl_easy_getinfo(fetch.easy.get(), CURLINFO_RESPONSE_CODE, &status);
  // The body of an error was too long to be read to its end. Its status counts.
  if (code == CURLE_WRITE_ERROR && fetch.refusal == nullptr) code = CURLE_OK;
  // libcurl takes a head that ends early for a response without a body.
  if (code == CURLE_OK && !fetch.has_head) code = CURLE_PARTIAL_FILE;
  if (code == CURLE_OK && options.follows_redirects && follow(fetch, status)) return;
  if (code == CURLE_OK && is_success(status) && fetch.received == 0 &&
      !fetch.request.on_bytes(kNull, kNull.size())) {
    fetch.refusal = "no_memory";
    code = CURLE_WRITE_ERROR;
  }
  std::optional<Failure> failure;
  if (code != CURLE_OK || !is_success(status)) {
    failure = failure_of(fetch, code, status);
    failure->was_redirected = fetch.redirects > 0;
  }
  const auto done = std::move(fetch.request.on_done);
  const uint64_t took_ns = fetch.multi == nullptr ? 0 : now_ns() - fetch.began_ns;
  recycle(&fetch);
  done(std::move(failure), took_ns);
}

// The redirect that the response is; nothing: it is none. An error: why it cannot be followed.
HttpClient::Curl::MaybeRedirect HttpClient::Curl::redirect_of(const Fetch& fetch, long status) {
  char* to = nullptr;
  if (is_redirect(status)) curl_easy_getinfo(fetch.easy.get(), CURLINFO_REDIRECT_URL, &to);
  if (to == nullptr) return {};
  return read_redirect(fetch.url, to, status, fetch.request.method);
}

// Whether the fetch goes on, at the place that the response names.
bool HttpClient::Curl::follow(Fetch& fetch, long status) {
  const MaybeRedirect redirect = redirect_of(fetch, status);
  if (!redirect || !redirect->has_value() || fetch.redirects == kRedirectsMax) return false;
  pool.remove(fetch);
  ++fetch.redirects;
  fetch.received = 0;
  Request& request = fetch.request;
  const uint64_t begun_ns = fetch.deadline_ns - request.timeout_ms * kNsPerMs;
  fetch.spent_ms = (now_ns() - begun_ns) / kNsPerMs;
  if ((*redirect)->is_get) {
    request.method = "GET";
    request.body.clear();
    fetch.has_lost_body = true;
  }
  fetch.url = (*redirect)->url;
  curl_easy_setopt(fetch.easy.get(), CURLOPT_URL, fetch.url.c_str());
  send(fetch);
  return true;
}

HttpClient::Failure HttpClient::Curl::failure_of(const Fetch& fetch, CURLcode code,
                                                 long status) const {
  const std::string& name = options.name;
  if (fetch.refusal != nullptr && std::string_view(fetch.refusal) == "too_large") {
    return {"too_large",
            fmt::format("upstream {}: a body of more than {} bytes, which is its limit "
                        "(body_bytes)",
                        name, options.body_bytes)};
  }
  if (fetch.refusal != nullptr) {
    return {fetch.refusal, fmt::format("upstream {}: no payload memory left for its body", name)};
  }
  if (code == CURLE_OK) {
    return {fmt::format("http_{}", status),
            fmt::format("upstream {}: expected a status from 200 to 299, found {}{}", name, status,
                        fault_of_redirect(fetch, status)),
            is_retryable(status), retry_after_ms(fetch.easy.get(), status)};
  }
  if (code == CURLE_OPERATION_TIMEDOUT && fetch.multi == nullptr) {
    const std::string why =
        !pool.is_name_known() ? "its name was not found"
        : pool.limit() < pool.capacity()
            ? fmt::format("its limit of fetches in flight, {}, was reached", pool.limit())
            : fmt::format("all of its {} connections were in use", options.connections);
    return {"timeout",
            fmt::format("upstream {}: {}, for {} ms", name, why, fetch.request.timeout_ms)};
  }
  if (code == CURLE_OPERATION_TIMEDOUT) {
    return {"timeout", fmt::format("upstream {}: no whole answer within {} ms", name,
                                   fetch.request.timeout_ms)};
  }
  if (code == CURLE_COULDNT_CONNECT && options.url.starts_with(kUnixPrefix)) {
    return {"connect", fmt::format("upstream {}: no server listens at {}", name, options.url)};
  }
  const char* detail = fetch.error[0] != '\0' ? fetch.error : curl_easy_strerror(code);
  return {reason_of(code), fmt::format("upstream {}: {}", name, detail)};
}

// Of a failure's message: why a redirect was not followed. Empty: it was none.
std::string HttpClient::Curl::fault_of_redirect(const Fetch& fetch, long status) const {
  const MaybeRedirect redirect = redirect_of(fetch, status);
  if (!redirect) return "";
  if (!redirect->has_value()) return ", " + redirect->error();
  if (!options.follows_redirects)
    return ", a redirect within its origin; redirects = \"same-origin\" follows it";
  return fmt::format(" after {} redirects, the most that are followed", kRedirectsMax);
}

// libcurl copies the URL, and most upstreams are asked at one only.
void HttpClient::Curl::set_url(Fetch& fetch) const {
  const std::string& target = fetch.request.target;
  if (target.empty() && fetch.url == whole_url) return;
  fetch.url = target.empty() ? whole_url : base_url + target;
  curl_easy_setopt(fetch.easy.get(), CURLOPT_URL, fetch.url.c_str());
}

// The list points into the request and into own_headers.
void HttpClient::Curl::set_headers(Fetch& fetch) const {
  // 100-continue would cost a round trip; without a type libcurl would send that of a form.
  static std::string no_continue = "Expect:", no_type = "Content-Type:";
  const Request& request = fetch.request;
  auto& [id, timeout, trace] = fetch.own_headers;
  id.clear();
  timeout.clear();
  fmt::format_to(std::back_inserter(id), "X-Request-Id: {}", request.number);
  const uint64_t allowed_ms = std::min(request.timeout_ms, request.left_ms);
  fmt::format_to(std::back_inserter(timeout), "X-Request-Timeout-Ms: {}",
                 allowed_ms - std::min(allowed_ms, fetch.spent_ms));
  fetch.header_list.clear();
  const auto add = [&](const std::string& line) {
    fetch.header_list.push_back({const_cast<char*>(line.c_str()), nullptr});
  };
  add(no_continue);
  if (request.body.empty()) add(no_type);
  if (request.number > 0) {
    add(id);
    add(timeout);
  }
  if (!request.traceparent.empty()) {
    trace = "traceparent: " + request.traceparent;
    add(trace);
  }
  const auto add_own = [&](const std::string& line) {
    if (!fetch.has_lost_body || !names_content_type(line)) add(line);
  };
  std::ranges::for_each(request.constant_headers, add_own);
  std::ranges::for_each(request.headers, add_own);
  for (size_t i = 1; i < fetch.header_list.size(); ++i)
    fetch.header_list[i - 1].next = &fetch.header_list[i];
  curl_easy_setopt(fetch.easy.get(), CURLOPT_HTTPHEADER, fetch.header_list.data());
}

// REQUIRES: its handle has its URL.
void HttpClient::Curl::send(Fetch& fetch) {
  set_headers(fetch);
  set_method(fetch.easy.get(), fetch.request);
  pool.start(fetch);
}

std::unique_ptr<HttpClient::Fetch> HttpClient::Curl::make_fetch() {
  auto made = std::make_unique<Fetch>();
  made->curl = this;
  made->easy.reset(curl_easy_init());
  CURL* easy = made->easy.get();
  RM_ASSERT(easy != nullptr);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  set_security(easy, options);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);  // do not wait for a hanging resolver
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, made->error);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Curl::on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, made.get());
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Curl::on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, made.get());
  pool.adopt(*made);
  return made;
}

void HttpClient::Curl::recycle(Fetch* fetch) {
  pool.remove(*fetch);
  std::swap(busy[fetch->at], busy.back());
  busy[fetch->at]->at = fetch->at;
  // A handle takes some kilobytes, so those beyond `connections` are freed after a burst.
  if (idle.size() < options.connections) {
    fetch->request = {};
    idle.push_back(std::move(busy.back()));
  }
  busy.pop_back();
}

HttpClient::HttpClient(uv_loop_t* loop, const UpstreamOptions& options)
    : options_(options), curl_(std::make_unique<Curl>(loop, options_)) {}

uint64_t HttpClient::descriptors_max(const UpstreamOptions& options) {
  return ConnectionPool::descriptors_max(options);
}

HttpClient::~HttpClient() {
  while (!curl_->busy.empty())
    curl_->recycle(curl_->busy.back().get());
}

Result<std::unique_ptr<HttpClient>> HttpClient::create(uv_loop_t* loop,
                                                       const UpstreamOptions& options) {
  static const CURLcode set_up = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (set_up != CURLE_OK) {
    return fail(ExitCode::kResource, fmt::format("libcurl: {}", curl_easy_strerror(set_up)));
  }
  return std::unique_ptr<HttpClient>(new HttpClient(loop, options));
}

HttpClient::Fetch* HttpClient::start(Request request) {
  Curl& curl = *curl_;
  if (curl.idle.empty()) curl.idle.push_back(curl.make_fetch());
  curl.busy.push_back(std::move(curl.idle.back()));
  curl.idle.pop_back();
  Fetch* fetch = curl.busy.back().get();
  fetch->at = curl.busy.size() - 1;
  fetch->request = std::move(request);
  fetch->error[0] = '\0';
  fetch->has_head = false;
  fetch->received = 0;
  fetch->redirects = 0;
  fetch->spent_ms = 0;
  fetch->has_lost_body = false;
  fetch->refusal = nullptr;
  fetch->deadline_ns = now_ns() + fetch->request.timeout_ms * kNsPerMs;
  fetch->client = fetch->request.client;

  curl.set_url(*fetch);
  curl.send(*fetch);
  return fetch;
}

void HttpClient::cancel(Fetch* fetch) {
  curl_->recycle(fetch);
}

void HttpClient::share_turn(Fetch* fetch, const void* client) {
  curl_->pool.share_turn(*fetch, client);
}

bool HttpClient::is_sent(const Fetch& fetch) {
  return fetch.multi != nullptr;
}

// It may have got its connection after `now_ns`.
uint64_t HttpClient::sent_for_ns(const Fetch& fetch, uint64_t now_ns) {
  return is_sent(fetch) ? now_ns - std::min(fetch.began_ns, now_ns) : 0;
}

size_t HttpClient::in_flight() const {
  return curl_->busy.size();
}

size_t HttpClient::waiting() const {
  return curl_->pool.waiting();
}

void HttpClient::set_limit(uint64_t fetches) {
  curl_->pool.set_limit(fetches);
}

uint64_t HttpClient::limit() const {
  return curl_->pool.limit();
}

uint64_t HttpClient::capacity() const {
  return curl_->pool.capacity();
}

double HttpClient::wait_ns(const void* client) const {
  return curl_->pool.wait_ns(client);
}

}  // namespace ringmaster::upstream
