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

// The connections of one multi handle: so few that each address has a handle, with HTTP/2 two, if
// there are as many connections.
uint64_t connections_each_of(const UpstreamOptions& options) {
  const uint64_t addresses = options.resolves ? kAddressesMax : 1;
  const uint64_t handles = addresses * (may_multiplex_with(options) ? 2 : 1);
  return std::clamp<uint64_t>(options.connections / handles, 1, kConnectionsEach);
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
      begin_soon_(make_handle<uv_timer_t>(loop, this, uv_timer_init)) {
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
  if (turns_.is_empty() && has_room()) return begin(transfer, find_room(transfer));
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
  std::erase(looking_up_, &transfer);
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
  for (Multi& multi : multis_) {
    multi.loop->end_idle_except(addresses);
    if (std::ranges::count(addresses, multi.address) == 0) multi.address.clear();
  }
}

// Whether one more transfer need not wait.
bool ConnectionPool::has_room() const {
  if (running_ >= limit_) return false;
  if (!is_name_known_) {
    size_t open = 0;
    for (const Multi& multi : multis_)
      open += open_room(multi);
    if (looking_up_.size() > open) return false;
  }
  const auto takes_more = [&](const Multi& multi) { return multi.loop->has_room(streams()); };
  return may_add_multi() || std::ranges::any_of(multis_, takes_more);
}

// Whether libcurl may look the name up for this transfer, and get no answer.
bool ConnectionPool::may_look_up(const Transfer& transfer) const {
  return !is_name_known_ && transfer.address.empty();
}

size_t ConnectionPool::looking_up_in(const Multi& multi) const {
  return static_cast<size_t>(std::ranges::count(looking_up_, multi.loop.get(), &Transfer::multi));
}

// How many more transfers to the name would find an open connection here.
size_t ConnectionPool::open_room(const Multi& multi) const {
  const bool may_begin = multi.address.empty() && multi.loop->has_room(streams());
  return may_begin ? multi.loop->open_room() : 0;
}

// REQUIRES: has_room().
CurlLoop& ConnectionPool::find_room(const Transfer& transfer) {
  CurlLoop* const open = may_look_up(transfer) ? find_open() : nullptr;
  return open != nullptr ? *open : find_room_for(transfer.address);
}

// The multi handle with the most open connections that no other transfer will take; null: none has
// an open connection that is free.
CurlLoop* ConnectionPool::find_open() const {
  CurlLoop* found = nullptr;
  std::pair<ptrdiff_t, size_t> most;
  for (const Multi& multi : multis_) {
    const size_t open = open_room(multi);
    const std::pair left(static_cast<ptrdiff_t>(open - looking_up_in(multi)), open);
    if (open == 0) continue;
    if (found != nullptr && left <= most) continue;
    found = multi.loop.get();
    most = left;
  }
  return found;
}

// The first of the address's multi handles with room, so that no more connections are opened than
// needed. With HTTP/2 the one of the first two that has fewer transfers. REQUIRES: has_room().
CurlLoop& ConnectionPool::find_room_for(const std::string& address) {
  const size_t used_together = is_multiplexed_ ? 2 : 1;
  const auto takes_more = [&](const Multi& multi) { return multi.loop->has_room(streams()); };
  const Multi* found = nullptr;
  size_t own = 0;
  for (const Multi& multi : multis_) {
    if (multi.address != address) continue;
    if (own >= used_together && takes_more(*found)) break;
    const bool is_better =
        own == 0 || (own < used_together ? multi.loop->transfers() < found->loop->transfers()
                                         : takes_more(multi));
    if (is_better) found = &multi;
    ++own;
  }
  const bool has_own_room = found != nullptr && takes_more(*found);
  if (!has_own_room || (own < used_together && found->loop->transfers() > 0)) {
    if (CurlLoop* const more = take_multi(address)) return *more;
  }
  return has_own_room ? *found->loop : *std::ranges::find_if(multis_, takes_more)->loop;
}

// A multi handle without transfers for this address; null: there can be no more.
CurlLoop* ConnectionPool::take_multi(const std::string& address) {
  const auto is_free = [](const Multi& multi) {
    return multi.address.empty() && multi.loop->transfers() == 0;
  };
  auto free = std::ranges::find_if(multis_, is_free);
  if (free == multis_.end()) {
    if (!may_add_multi()) return nullptr;
    const uint64_t left = connections_ - multis_.size() * connections_each_;
    CurlLoop::Events events{[this](CURL* easy, CURLcode code) { on_ended(easy, code); },
                            [this] { on_opened(); }};
    multis_.push_back({"", std::make_unique<CurlLoop>(loop_, std::min(connections_each_, left),
                                                      std::move(events))});
    free = multis_.end() - 1;
  }
  free->address = address;
  return free->loop.get();
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
  transfer.has_connection = false;
  transfer.multi = &multi;
  if (may_look_up(transfer)) looking_up_.push_back(&transfer);
  ++running_;
  multi.add(transfer.easy.get());
}

void ConnectionPool::begin_waiting() {
  while (!turns_.is_empty() && has_room()) {
    Transfer& next = *turns_.pop();
    stop_waiting(next);
    begin(next, find_room(next));
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

// For libcurl's callbacks, from which libcurl must not be called.
void ConnectionPool::begin_waiting_soon() {
  if (turns_.is_empty()) return;
  const auto begin = [](uv_timer_t* timer) {
    static_cast<ConnectionPool*>(timer->data)->begin_waiting();
  };
  uv_timer_start(begin_soon_.get(), begin, 0, 0);
}

void ConnectionPool::on_opened() {
  if (std::exchange(is_name_known_, true)) return;
  looking_up_.clear();
  begin_waiting_soon();
}

void ConnectionPool::on_connected(Transfer& transfer) {
  transfer.has_connection = true;
  if (std::erase(looking_up_, &transfer) > 0) begin_waiting_soon();
}

void ConnectionPool::on_ended(CURL* easy, CURLcode code) {
  char* user = nullptr;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, &user);
  auto& transfer = *reinterpret_cast<Transfer*>(user);
  curl_off_t lookup_us = 0;
  curl_easy_getinfo(easy, CURLINFO_NAMELOOKUP_TIME_T, &lookup_us);
  // 0: no lookup has ended. A transfer that joins an HTTP/2 connection in use makes none. One on an
  // idle connection makes none either, although its time is not 0: it leaves the name as it is.
  const bool got_no_address = lookup_us == 0 && !transfer.has_connection;
  if (!has_address_ && (got_no_address || code == CURLE_COULDNT_RESOLVE_HOST))
    is_name_known_ = false;
  long version = CURL_HTTP_VERSION_NONE;
  if (may_multiplex_) curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
  if (version != CURL_HTTP_VERSION_NONE) is_multiplexed_ = version == CURL_HTTP_VERSION_2_0;
  end(transfer, code);
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
