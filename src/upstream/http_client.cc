#include "upstream/http_client.h"

#include <algorithm>
#include <fmt/format.h>
#include <optional>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "upstream/connection_pool.h"
#include "upstream/curl_request.h"
#include "upstream/fetch_failure.h"
#include "upstream/redirect.h"

namespace ringmaster::upstream {
namespace {

constexpr unsigned kRedirectsMax = 5;
constexpr std::string_view kNull = "null";

std::string whole_url_of(const std::string& url) {
  return url.starts_with(kUnixPrefix) ? "http://localhost/" : url;
}

}  // namespace

struct HttpClient::Fetch : ConnectionPool::Transfer {
  Request request;
  Curl* curl = nullptr;
  char error[CURL_ERROR_SIZE] = "";
  std::string url;         // the URL that the handle has
  std::string connect_to;  // where the handle connects, for `address`
  curl_slist connect_to_list{};
  RequestHeaders headers;
  size_t at = 0;          // index in `busy`
  bool has_head = false;  // the response's head has come whole
  uint64_t received = 0;
  unsigned redirects = 0;           // followed so far
  uint64_t spent_ms = 0;            // on redirects
  bool has_lost_body = false;       // a redirect asked for a GET
  const char* refusal = nullptr;    // why the body was refused
  std::optional<long> sent_before;  // the bytes that the handle had sent before this request
  bool was_http1 = false;           // the connection on which the request was last sent
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
  static int before_request(void* user, char*, char*, int, int);
  static bool was_sent(const Fetch& fetch);
  void on_done(Fetch& fetch, CURLcode code);
  std::unique_ptr<Fetch> make_fetch();
  void set_url(Fetch& fetch) const;
  static void set_address(Fetch& fetch, const std::string& address);
  using MaybeRedirect = std::optional<tl::expected<Redirect, std::string>>;
  static MaybeRedirect redirect_of(const Fetch& fetch, long status);
  bool follow(Fetch& fetch, long status);
  void send(Fetch& fetch);
  Failure failure_of(const Fetch& fetch, CURLcode code, long status) const;
  std::string fault_of_redirect(const Fetch& fetch, long status) const;
  void recycle(Fetch* fetch);

  const UpstreamOptions& options;
  const std::string whole_url;  // of a fetch without a path: a query is appended to it
  const std::string base_url;   // a path is appended to it
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

// libcurl calls this before it sends the request. By itself, libcurl sends a request again, of
// whatever method, in two cases (Curl_retry_request of lib/transfer.c, cf_h2_recv of lib/http2.c):
// 1. A kept connection has ended without an answer. The request may have been executed.
// 2. The server has refused its HTTP/2 stream, alone or with GOAWAY, so it was not executed (RFC
//    9113, 8.7). Only then libcurl has found no error in a connection of HTTP/2.
int HttpClient::Curl::before_request(void* user, char*, char*, int, int local_port) {
  auto* fetch = static_cast<Fetch*>(user);
  if (!fetch->sent_before) {
    fetch->sent_before = 0;
    curl_easy_getinfo(fetch->easy.get(), CURLINFO_REQUEST_SIZE, &*fetch->sent_before);
  }
  const bool was_refused = !fetch->was_http1 && fetch->error[0] == '\0';
  if (!fetch->request.is_repeatable && was_sent(*fetch) && !was_refused)
    return CURL_PREREQFUNC_ABORT;
  fetch->was_http1 = fetch->curl->pool.is_http1(*fetch, local_port);
  fetch->curl->pool.on_connected(*fetch);
  return CURL_PREREQFUNC_OK;
}

// Whether bytes of the request were sent on a connection that has ended since.
bool HttpClient::Curl::was_sent(const Fetch& fetch) {
  long sent = 0;
  curl_easy_getinfo(fetch.easy.get(), CURLINFO_REQUEST_SIZE, &sent);
  return fetch.sent_before && sent > *fetch.sent_before;
}

void HttpClient::Curl::on_done(Fetch& fetch, CURLcode code) {
  const bool has_no_connection =
      code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST;
  if (code == CURLE_ABORTED_BY_CALLBACK || (has_no_connection && was_sent(fetch))) {
    code = CURLE_GOT_NOTHING;
    fetch.error[0] = '\0';
  }
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

// The redirect in the response; nothing: it has none. An error: why it cannot be followed.
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
  const uint64_t timeout_ms = fetch.request.timeout_ms;
  if (fetch.refusal != nullptr) return refused_body(options, fetch.refusal);
  if (code == CURLE_OK) {
    Failure failure = unwanted_status(options, status, fault_of_redirect(fetch, status));
    failure.retry_after_ms = retry_after_ms(fetch.easy.get(), status);
    return failure;
  }
  if (code != CURLE_OPERATION_TIMEDOUT || fetch.multi != nullptr)
    return broken_transfer(options, code, fetch.error, timeout_ms);
  if (!pool.is_name_known()) return vain_wait(options, "its name was not found", timeout_ms);
  if (pool.limit() == pool.capacity()) {
    const std::string why =
        fmt::format("all of its {} connections were in use", options.connections);
    return vain_wait(options, why, timeout_ms);
  }
  const std::string why =
      fmt::format("its limit of fetches in flight, {}, was reached", pool.limit());
  return vain_wait(options, why, timeout_ms);
}

// A part of a failure's message: why a redirect was not followed. Empty: there was none.
std::string HttpClient::Curl::fault_of_redirect(const Fetch& fetch, long status) const {
  const MaybeRedirect redirect = redirect_of(fetch, status);
  if (!redirect) return "";
  if (!redirect->has_value()) return ", " + redirect->error();
  if (!options.follows_redirects)
    return ", a redirect within its origin; redirects = \"same-origin\" follows it";
  return fmt::format(" after {} redirects, the most that are followed", kRedirectsMax);
}

// Sets a new URL only: libcurl copies it, and most upstreams are asked at one URL only.
void HttpClient::Curl::set_url(Fetch& fetch) const {
  const std::string& target = fetch.request.target;
  if (target.empty() && fetch.url == whole_url) return;
  fetch.url = (target.starts_with('/') ? base_url : whole_url) + target;
  curl_easy_setopt(fetch.easy.get(), CURLOPT_URL, fetch.url.c_str());
}

// libcurl keeps a pointer to the list: any host and any port (both empty), then where to connect.
void HttpClient::Curl::set_address(Fetch& fetch, const std::string& address) {
  if (fetch.address == address) return;
  fetch.address = address;
  const bool is_ipv6 = address.find(':') != std::string::npos;
  fetch.connect_to = is_ipv6 ? "::[" + address + "]:" : "::" + address + ":";
  fetch.connect_to_list.data = fetch.connect_to.data();
  curl_easy_setopt(fetch.easy.get(), CURLOPT_CONNECT_TO,
                   address.empty() ? nullptr : &fetch.connect_to_list);
}

// REQUIRES: the fetch's handle has its URL.
void HttpClient::Curl::send(Fetch& fetch) {
  fetch.sent_before.reset();
  fetch.headers.set(fetch.easy.get(), fetch.request, fetch.spent_ms, fetch.has_lost_body);
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
  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, &Curl::before_request);
  curl_easy_setopt(easy, CURLOPT_PREREQDATA, made.get());
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

HttpClient::Fetch* HttpClient::start(Request request, const std::string& address) {
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
  Curl::set_address(*fetch, address);
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

// The fetch may have got its connection after `now_ns`.
uint64_t HttpClient::sent_for_ns(const Fetch& fetch, uint64_t now_ns) {
  return is_sent(fetch) ? now_ns - std::min(fetch.began_ns, now_ns) : 0;
}

size_t HttpClient::in_flight() const {
  return curl_->busy.size();
}

size_t HttpClient::waiting() const {
  return curl_->pool.waiting();
}

void HttpClient::end_idle_except(std::span<const std::string> addresses) {
  curl_->pool.end_idle_except(addresses);
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
