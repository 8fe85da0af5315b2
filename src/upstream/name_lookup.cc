#include "upstream/name_lookup.h"

#include <algorithm>
#include <arpa/inet.h>
#include <curl/curl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <sys/eventfd.h>
#include <system_error>
#include <thread>
#include <utility>

#include "base/fd.h"
#include "base/log.h"

namespace ringmaster::upstream {

struct NameLookup::Desk {
  void look_up();  // the thread
  void report_end() const;

  std::string host;
  Fd ended;  // an eventfd: the members below are set. Until then they are the thread's
  std::vector<std::string> addresses;
  std::string fault;  // empty: the name was found
};

namespace {

// REQUIRES: there is an address.
std::vector<std::string> texts_of(const addrinfo* first) {
  std::vector<std::string> texts;
  for (const addrinfo* at = first; at != nullptr; at = at->ai_next) {
    if (at->ai_family == first->ai_family) texts.push_back(ip_text(at->ai_addr));
  }
  std::ranges::sort(texts);
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
  return texts;
}

}  // namespace

std::string host_name_of(const std::string& url) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed(curl_url(), curl_url_cleanup);
  char* part = nullptr;
  if (curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) return "";
  if (curl_url_get(parsed.get(), CURLUPART_HOST, &part, 0) != CURLUE_OK) return "";
  std::string host(part);
  curl_free(part);
  in_addr unused{};
  const bool is_address = host.starts_with('[') || ::inet_pton(AF_INET, host.c_str(), &unused) == 1;
  return is_address ? "" : host;
}

std::string ip_text(const sockaddr* address) {
  char text[INET6_ADDRSTRLEN] = "";
  uv_ip_name(address, text, sizeof text);
  if (address->sa_family != AF_INET6) return text;
  const uint32_t interface = reinterpret_cast<const sockaddr_in6*>(address)->sin6_scope_id;
  return interface == 0 ? text : fmt::format("{}%{}", text, interface);
}

Result<std::unique_ptr<NameLookup>> NameLookup::create(uv_loop_t* loop, std::string upstream,
                                                       std::string host, OnFound on_found) {
  auto desk = std::make_shared<Desk>();
  desk->host = std::move(host);
  desk->ended = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!desk->ended.is_open()) return fail_errno("make an eventfd for the lookup of a name", errno);
  return std::unique_ptr<NameLookup>(
      new NameLookup(loop, std::move(upstream), std::move(desk), std::move(on_found)));
}

NameLookup::NameLookup(uv_loop_t* loop, std::string upstream, std::shared_ptr<Desk> desk,
                       OnFound on_found)
    : upstream_(std::move(upstream)),
      desk_(std::move(desk)),
      on_found_(std::move(on_found)),
      poll_(make_handle<uv_poll_t>(loop, this, uv_poll_init, desk_->ended.get())),
      timer_(make_handle<uv_timer_t>(loop, this, uv_timer_init)) {
  const auto on_readable = [](uv_poll_t* poll, int /*status*/, int /*events*/) {
    static_cast<NameLookup*>(poll->data)->on_ended();
  };
  RM_ASSERT(uv_poll_start(poll_.get(), UV_READABLE, on_readable) == 0);
  look_up();
}

void NameLookup::Desk::look_up() {
  addrinfo wanted{}, *found = nullptr;
  wanted.ai_socktype = SOCK_STREAM;  // else each address comes once for each kind of socket
  const int error = ::getaddrinfo(host.c_str(), nullptr, &wanted, &found);
  fault = error == 0 ? "" : ::gai_strerror(error);
  if (error != 0) return;
  addresses = texts_of(found);
  ::freeaddrinfo(found);
}

void NameLookup::Desk::report_end() const {
  const uint64_t one = 1;
  RM_ASSERT(::write(ended.get(), &one, sizeof(one)) == sizeof(one));
}

void NameLookup::look_up() {
  try {
    std::thread([desk = desk_] {
      desk->look_up();
      desk->report_end();
    }).detach();
  } catch (const std::system_error& error) {  // workers may have started all the user's threads
    desk_->fault = error.what();
    desk_->report_end();
  }
}

void NameLookup::on_ended() {
  uint64_t count = 0;
  if (::read(desk_->ended.get(), &count, sizeof(count)) != sizeof(count)) return;
  const auto again = [](uv_timer_t* timer) { static_cast<NameLookup*>(timer->data)->look_up(); };
  uv_timer_start(timer_.get(), again, kPauseNs / kNsPerMs, 0);
  const std::string before = std::exchange(fault_, desk_->fault);
  if (!fault_.empty()) {
    if (fault_ == before) return;
    return log(Level::kWarning, "lookup_failed",
               {{"upstream", upstream_}, {"name", desk_->host}, {"error", fault_}});
  }
  if (!before.empty())
    log(Level::kInfo, "lookup_succeeded", {{"upstream", upstream_}, {"name", desk_->host}});
  on_found_(history_.add(desk_->addresses, now_ns()));
}

}  // namespace ringmaster::upstream
