#include "upstream/connection_pool.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "upstream/name_lookup.h"

namespace ringmaster::upstream {
namespace {

// Connections of one multi handle: 400 in one took a quarter of the master's time.
constexpr uint64_t kConnectionsEach = 16;

uint64_t ms_until(uint64_t deadline_ns, uint64_t now) {
  return deadline_ns <= now ? 0 : (deadline_ns - now) / kNsPerMs + 1;
}

// Whether HTTP/2 is offered. Not without TLS: libcurl 7.88 breaks such a connection when it uses it
// for a second transfer (Curl_http2_may_switch of lib/http2.c).
bool may_multiplex_with(const UpstreamOptions& options) {
  return options.http != HttpVersion::kHttp1 && options.url.starts_with("https:");
}

// The connections of one multi handle. With HTTP/2 there are at least two handles, if there are two
// connections.
uint64_t connections_each_of(const UpstreamOptions& options) {
  if (!may_multiplex_with(options)) return kConnectionsEach;
  return std::clamp<uint64_t>(options.connections / 2, 1, kConnectionsEach);
}

}  // namespace

ConnectionPool::ConnectionPool(uv_loop_t* loop, const UpstreamOptions& options, OnDone on_done)
    : loop_(loop),
      connections_(options.connections),
      connections_each_(connections_each_of(options)),
      may_multiplex_(may_multiplex_with(options)),
      is_multiplexed_(options.http == HttpVersion::kHttp2),
      on_done_(std::move(on_done)),
      has_address_(host_name_of(options.url).empty()),
      is_name_known_(has_address_),
      share_(curl_share_init()),
      name_found_(make_handle<uv_timer_t>(loop, this, uv_timer_init)) {
  RM_ASSERT(share_ != nullptr);
  curl_share_setopt(share_.get(), CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
  curl_share_setopt(share_.get(), CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
}

uint64_t ConnectionPool::descriptors_max(const UpstreamOptions& options) {
  const uint64_t each = connections_each_of(options);
  const uint64_t multis = (options.connections + each - 1) / each;
  return options.connections + multis * CurlLoop::kOwnDescriptors;
}

void ConnectionPool::adopt(Transfer& transfer) {
  curl_easy_setopt(transfer.easy.get(), CURLOPT_PRIVATE, &transfer);
  curl_easy_setopt(transfer.easy.get(), CURLOPT_SHARE, share_.get());
  curl_easy_setopt(transfer.easy.get(), CURLOPT_HTTP_VERSION,
                   may_multiplex_ ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1);
  transfer.pool = this;
  transfer.timer = make_handle<uv_timer_t>(loop_, &transfer, uv_timer_init);
}

void ConnectionPool::start(Transfer& transfer) {
  if (turns_.is_empty()) {
    if (CurlLoop* multi = find_room()) return begin(transfer, *multi);
  }
  transfer.turn = turns_.push(transfer.client, &transfer);
  ++waiting_;
  watch_deadline(transfer);
}

void ConnectionPool::remove(Transfer& transfer) {
  if (transfer.multi == nullptr) {
    turns_.erase(transfer.turn);
    stop_waiting(transfer);
    return;
  }
  uv_timer_stop(transfer.timer.get());
  --running_;
  std::exchange(transfer.multi, nullptr)->remove(transfer.easy.get());
  begin_waiting();
}

void ConnectionPool::share_turn(Transfer& transfer, const void* client) {
  if (transfer.multi != nullptr) return;
  transfer.turn = turns_.move_if_sooner(transfer.turn, client);
}

void ConnectionPool::set_limit(uint64_t transfers) {
  limit_ = transfers;
  begin_waiting();
}

void ConnectionPool::end_idle_except(std::span<const std::string> addresses) {
  for (const auto& multi : multis_)
    multi->end_idle_except(addresses);
}

// The first multi handle with room, so that no more connections are opened than needed. With HTTP/2
// the one of the first two that has fewer transfers. Null: the transfer must wait.
CurlLoop* ConnectionPool::find_room() {
  if (running_ >= limit_) return nullptr;
  const auto is_in_use = [](const auto& multi) { return multi->transfers() > 0; };
  if (!is_name_known_ && std::any_of(multis_.begin(), multis_.end(), is_in_use)) return nullptr;
  const size_t used_together = is_multiplexed_ ? 2 : 1;
  while (multis_.size() < used_together && add_multi())
    continue;
  const auto first_end = multis_.begin() + std::min(used_together, multis_.size());
  auto found = std::ranges::min_element(multis_.begin(), first_end, {},
                                        [](const auto& multi) { return multi->transfers(); });
  const auto has_room = [&](const auto& multi) { return multi->has_room(streams()); };
  if (!has_room(*found)) found = std::ranges::find_if(multis_, has_room);
  if (found != multis_.end()) return found->get();
  return add_multi() ? multis_.back().get() : nullptr;
}

bool ConnectionPool::add_multi() {
  const uint64_t there = multis_.size() * connections_each_;
  if (there >= connections_) return false;
  CurlLoop::Events events{[this](CURL* easy, CURLcode code) { on_ended(easy, code); },
                          [this] { on_opened(); }};
  multis_.push_back(std::make_unique<CurlLoop>(
      loop_, std::min(connections_each_, connections_ - there), std::move(events)));
  return true;
}

void ConnectionPool::begin(Transfer& transfer, CurlLoop& multi) {
  transfer.began_ns = now_ns();
  const uint64_t left_ms = std::max<uint64_t>(ms_until(transfer.deadline_ns, transfer.began_ns), 1);
  curl_easy_setopt(transfer.easy.get(), CURLOPT_TIMEOUT_MS, static_cast<long>(left_ms));
  if (may_multiplex_) {
    // Whether to wait for a connection that is being made, or to make another.
    curl_easy_setopt(transfer.easy.get(), CURLOPT_PIPEWAIT, is_multiplexed_ ? 1L : 0L);
    watch_deadline(transfer);  // libcurl does not, while the transfer waits for a stream
  }
  transfer.multi = &multi;
  ++running_;
  multi.add(transfer.easy.get());
}

void ConnectionPool::begin_waiting() {
  while (!turns_.is_empty()) {
    CurlLoop* multi = find_room();
    if (multi == nullptr) return;
    Transfer& next = *turns_.pop();
    stop_waiting(next);
    begin(next, *multi);
  }
}

// REQUIRES: the transfer's turn is removed.
void ConnectionPool::stop_waiting(Transfer& transfer) {
  --waiting_;
  uv_timer_stop(transfer.timer.get());
}

void ConnectionPool::watch_deadline(Transfer& transfer) {
  const auto at_deadline = [](uv_timer_t* timer) {
    auto& late = *static_cast<Transfer*>(timer->data);
    // libuv counts a timer from the time at which this turn of the loop began. So the timer may
    // expire before the deadline, and is then started again.
    if (now_ns() < late.deadline_ns) return late.pool->watch_deadline(late);
    late.pool->end(late, CURLE_OPERATION_TIMEDOUT);
  };
  uv_timer_start(transfer.timer.get(), at_deadline, ms_until(transfer.deadline_ns, now_ns()), 0);
}

// libcurl must not be called from its callback: the timer starts the fetches that waited for the
// name.
void ConnectionPool::on_opened() {
  if (std::exchange(is_name_known_, true) || turns_.is_empty()) return;
  const auto begin = [](uv_timer_t* timer) {
    static_cast<ConnectionPool*>(timer->data)->begin_waiting();
  };
  uv_timer_start(name_found_.get(), begin, 0, 0);
}

void ConnectionPool::on_ended(CURL* easy, CURLcode code) {
  curl_off_t lookup_us = 0;
  curl_easy_getinfo(easy, CURLINFO_NAMELOOKUP_TIME_T, &lookup_us);
  // 0: the transfer ended before the lookup. A transfer on a kept connection makes no lookup, but
  // its time is not 0 either. So the name counts as known: fetches must not wait for a lookup when
  // a connection is free.
  is_name_known_ = has_address_ || lookup_us > 0;
  long version = CURL_HTTP_VERSION_NONE;
  if (may_multiplex_) curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
  if (version != CURL_HTTP_VERSION_NONE) is_multiplexed_ = version == CURL_HTTP_VERSION_2_0;
  char* user = nullptr;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, &user);
  end(*reinterpret_cast<Transfer*>(user), code);
}

void ConnectionPool::end(Transfer& transfer, CURLcode code) {
  if (transfer.multi != nullptr) took_ns_.add(static_cast<double>(now_ns() - transfer.began_ns));
  on_done_(transfer, code);
}

double ConnectionPool::wait_ns(const void* client) const {
  const size_t turns = std::min(waiting_, turns_.turns_before(client));
  return static_cast<double>(turns) * took_ns_.mean() / static_cast<double>(limit());
}

}  // namespace ringmaster::upstream
