#include "master/frontend/frontend.h"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <unordered_map>
#include <utility>

#include "base/clock.h"
#include "base/log.h"

namespace ringmaster::master {
namespace {

// Each tick of the timer checks a part of the sessions: each session four times a second, or only
// once a second if there are many. The check of a session takes half a microsecond, mostly for
// cache misses, and requests wait until the tick's part is done.
constexpr uint64_t kTickMs = 250 / 16;
constexpr size_t kPartsMin = 16;
constexpr size_t kPartsMax = 64;
constexpr size_t kSessionsEach = 128;

// At the limit of connection_memory_bytes, connections are closed until 1/64 of it is free.
constexpr uint64_t kFreedPart = 64;

// Removes one occurrence of the address: "127.0.0.1:0" may occur several times.
bool take_one(std::vector<net::Address>& addresses, const net::Address& address) {
  const auto found = std::find(addresses.begin(), addresses.end(), address);
  if (found == addresses.end()) return false;
  addresses.erase(found);
  return true;
}

// Warns of weights for names that no client can have: where tokens are required, a client has the
// name of its token.
void warn_of_weights(const Options& options) {
  if (options.tokens.empty()) return;
  for (const auto& [name, weight] : options.fair.weights) {
    const auto has_name = [&name = name](const Token& token) { return token.name == name; };
    if (std::any_of(options.tokens.begin(), options.tokens.end(), has_name)) continue;
    log(Level::kWarning, "weight_of_nobody",
        {{"name", name},
         {"why", "fair.weights names it, and listen.token_file has no such token"}});
  }
}

}  // namespace

Frontend::Frontend(uv_loop_t* loop, std::vector<InheritedSocket> inherited,
                   telemetry::Recorder& recorder)
    : loop_(loop),
      proxied_(
          [this](const std::string& what) { shared_.access.count(Refusal::kProxyHeader, what); }),
      is_inherited_(!inherited.empty()),
      delay_timer_(make_handle<uv_timer_t>(loop, this, uv_timer_init)),
      next_turn_(make_handle<uv_idle_t>(loop, this, uv_idle_init)),
      stall_timer_(make_handle<uv_timer_t>(loop, this, uv_timer_init)),
      handshakes_([this](const net::Connection& connection) {
        shared_.access.count(Refusal::kDelayedHandshake, connection.client());
      }),
      long_messages_(loop) {
  for (InheritedSocket& socket : inherited)
    entrances_.push_back({"", net::Listener::adopt(std::move(socket.fd), socket.is_tls)});
  shared_.on_unsent = [this](std::shared_ptr<Session> session) {
    unsent_.push_back(std::move(session));
  };
  shared_.on_delayed = [this](std::shared_ptr<Session> session) { delay(std::move(session)); };
  shared_.on_paused = [this](std::shared_ptr<Session> session) {
    const std::string client = session->client();
    paused_.push(client, std::move(session));
    uv_idle_start(next_turn_.get(),
                  [](uv_idle_t* idle) { static_cast<Frontend*>(idle->data)->go_on_with_paused(); });
  };
  shared_.recorder = &recorder;
  shared_.handshakes = &handshakes_;
  shared_.long_messages = &long_messages_;
  shared_.on_memory = [this](const net::Connection& connection, uint64_t was_bytes) {
    count_memory(connection, was_bytes);
  };
  shared_.on_closed = [this](std::shared_ptr<Session> session) {
    sessions_.erase(session);
    memory_bytes_ -= session->connection().held_bytes();
    closed_.push_back(std::move(session));
  };
}

Status Frontend::load_tls(const Options& options) {
  const bool is_needed =
      is_inherited_
          ? std::any_of(entrances_.begin(), entrances_.end(),
                        [](const Entrance& one) { return one.listener->is_tls(); })
          : std::any_of(options.listen_rpc.begin(), options.listen_rpc.end(), net::is_tls);
  next_tls_ = nullptr;
  if (!is_needed) return {};
  if (options.tls.certificate.empty()) {
    return fail(ExitCode::kConfig,
                "the service manager passes a socket that is named tls: expected "
                "listen.tls_certificate_file and listen.tls_key_file, found none");
  }
  auto context = net::TlsContext::create(options.tls);
  if (!context) return tl::unexpected(context.error());
  next_tls_ = *context;
  return {};
}

Status Frontend::bind(const Options& options) {
  if (Status loaded = load_tls(options); !loaded) return loaded;
  if (is_inherited_) return {};
  std::vector<net::Address> missing = options.listen_rpc;
  for (const Entrance& entrance : entrances_)
    take_one(missing, entrance.configured);
  for (const net::Address& address : missing) {
    Result<std::unique_ptr<net::Listener>> listener =
        net::Listener::bind(address, options.unix_access);
    if (!listener) {
      forget_bound();
      return tl::unexpected(listener.error());
    }
    entrances_.push_back({address, std::move(*listener)});
  }
  return {};
}

Status Frontend::serve(Deployment& deployment) {
  for (Entrance& entrance : entrances_) {
    if (entrance.is_open) continue;
    const bool is_tls = entrance.listener->is_tls();
    Status listening = entrance.listener->listen(loop_, [this, is_tls](net::Stream stream) {
      accept(std::move(stream), is_tls ? tls_ : nullptr);
    });
    if (!listening) return listening;
  }
  // The modes of unix sockets change only after all addresses listen, which may fail: a client that
  // a new mode lets in would stay connected.
  for (const Entrance& entrance : entrances_) {
    if (!entrance.is_open) continue;
    Status permitted = entrance.listener->permit(deployment.options().unix_access);
    if (!permitted) return permitted;
  }
  for (Entrance& entrance : entrances_) {
    if (std::exchange(entrance.is_open, true)) continue;
    log(Level::kInfo, "listening", {{"address", entrance.listener->address()}});
  }
  std::vector<net::Address> wanted = deployment.options().listen_rpc;
  std::erase_if(entrances_, [&](const Entrance& entrance) {
    if (is_inherited_ || take_one(wanted, entrance.configured)) return false;
    log(Level::kInfo, "closed", {{"address", entrance.listener->address()}});
    return true;
  });
  for (const Entrance& entrance : entrances_)
    warn_if_open(*entrance.listener, deployment.options());
  warn_of_weights(deployment.options());
  tls_ = std::move(next_tls_);
  shared_.access.set_rules(deployment.options().allow, deployment.options().tokens);
  proxies_ = deployment.options().proxy_from;
  shared_.deployment = &deployment;
  shared_.wanted = deployment.wanted();
  for (const std::shared_ptr<Session>& session : sessions_)
    session->on_deployment();
  shared_.origins = deployment.options().listen_origins;
  shared_.connections_per_client = deployment.options().connections_per_client;
  shared_.connection_age_s = deployment.options().connection_age_s;
  shared_.endpoint_load_metrics = deployment.options().endpoint_load_metrics;
  const Limits& limits = shared_.limits = deployment.options().limits;
  shared_.connection_limits = {limits.request_bytes, limits.send_timeout_ms,
                               limits.idle_timeout_ms};
  uv_timer_start(
      stall_timer_.get(),
      [](uv_timer_t* timer) {
        auto* const self = static_cast<Frontend*>(timer->data);
        self->close_stalled();
        self->proxied_.close_stalled(now_ns());
        self->handshakes_.resume_delayed(now_ns());
        self->report_refusals();
      },
      kTickMs, kTickMs);
  return {};
}

void Frontend::warn_if_open(const net::Listener& listener, const Options& options) const {
  if (listener.is_of_this_host() || listener.is_tls()) return;
  if (!options.allow.empty() || !options.tokens.empty()) return;
  log(Level::kWarning, "open_to_all",
      {{"address", listener.address()},
       {"why",
        "anyone who reaches this address may call every method; set listen.allow, "
        "listen.token_file or tls:// to restrict that"}});
}

void Frontend::forget_bound() {
  next_tls_ = nullptr;
  std::erase_if(entrances_, [](const Entrance& entrance) { return !entrance.is_open; });
}

std::array<size_t, 4> Frontend::connections_by_framing() const {
  std::array<size_t, 4> counts{};
  for (const std::shared_ptr<Session>& session : sessions_)
    ++counts[static_cast<size_t>(session->connection().framing())];
  return counts;
}

std::vector<std::string> Frontend::addresses() const {
  std::vector<std::string> addresses;
  for (const Entrance& entrance : entrances_)
    addresses.push_back(entrance.listener->address());
  return addresses;
}

// Called at the beginning of a turn of the loop, before it reads. The paused sessions go on, one
// after the other, until the time is over; the first one serves at least one message. A session
// that is paused again queues behind the sessions of other clients, see ClientTurns.
void Frontend::go_on_with_paused() {
  net::ReadingTurns& turns = shared_.reading_turns;
  turns.begin_part();  // the last turn's reading is over
  while (!paused_.is_empty() && !turns.is_over(now_ns()))
    paused_.pop()->go_on();
  turns.begin_part();
  if (paused_.is_empty()) uv_idle_stop(next_turn_.get());
}

void Frontend::close_stalled() {
  std::vector<std::shared_ptr<Session>> stalled, idle;
  const uint64_t now = now_ns();
  const size_t buckets = sessions_.bucket_count();
  const size_t parts = std::clamp(sessions_.size() / kSessionsEach, kPartsMin, kPartsMax);
  const size_t end = std::min(next_bucket_ + buckets / parts + 1, buckets);
  for (size_t bucket = next_bucket_; bucket < end; ++bucket) {
    for (auto at = sessions_.begin(bucket); at != sessions_.end(bucket); ++at) {
      if ((*at)->has_stalled(now)) {
        stalled.push_back(*at);
      } else if ((*at)->has_idled(now) || (*at)->has_aged_idle(now)) {
        idle.push_back(*at);
      }
    }
  }
  next_bucket_ = end == buckets ? 0 : end;
  for (const auto& session : stalled)
    session->connection().abort();
  for (const auto& session : idle)
    session->finish_when_idle();
}

void Frontend::count_memory(const net::Connection& connection, uint64_t was_bytes) {
  memory_bytes_ += connection.held_bytes() - was_bytes;
  if (connection.held_bytes() < was_bytes) return;
  if (memory_bytes_ > shared_.limits.connection_memory_bytes) close_greediest();
}

// Closes connections until 1/64 of the memory is free: the search takes a microsecond a session, so
// it must not be repeated for each small message. Each step closes the largest connection of the
// client that holds most. If the function compared connections only, a client with many small ones
// could have the larger ones of all others closed.
void Frontend::close_greediest() {
  const uint64_t limit = shared_.limits.connection_memory_bytes;
  struct Holder {
    uint64_t bytes = 0;
    std::vector<std::pair<uint64_t, std::shared_ptr<Session>>> sessions;
  };
  std::unordered_map<std::string, Holder> clients;
  for (const auto& session : sessions_) {
    const uint64_t held_bytes = session->connection().held_bytes();
    if (held_bytes == 0) continue;
    Holder& holder = clients[session->client()];
    holder.bytes += held_bytes;
    holder.sessions.emplace_back(held_bytes, session);
  }
  std::vector<std::pair<uint64_t, Holder*>> heap;
  for (auto& [name, holder] : clients) {
    std::sort(holder.sessions.begin(), holder.sessions.end());
    heap.emplace_back(holder.bytes, &holder);
  }
  std::make_heap(heap.begin(), heap.end());
  while (memory_bytes_ > limit - limit / kFreedPart && !heap.empty()) {
    std::pop_heap(heap.begin(), heap.end());
    Holder& holder = *heap.back().second;
    const auto [held_bytes, session] = std::move(holder.sessions.back());
    holder.sessions.pop_back();
    if (holder.sessions.empty()) {
      heap.pop_back();
    } else {
      heap.back().first -= held_bytes;
      std::push_heap(heap.begin(), heap.end());
    }
    if (session->is_closed()) continue;
    shared_.access.count(Refusal::kMemory,
                         fmt::format("{}: {} bytes", session->connection().client(), held_bytes));
    session->connection().abort();
  }
}

void Frontend::drain() {
  shared_.reading_turns.begin_part();  // this turn gets time to refuse requests
  if (std::exchange(shared_.is_draining, true)) return;
  entrances_.clear();
  proxied_.close_all();  // clear() has closed the connections that were not accepted yet
  for (const auto& session : sessions_)
    session->await_served();
}

void Frontend::finish() {
  const std::vector<std::shared_ptr<Session>> all(sessions_.begin(), sessions_.end());
  for (const auto& session : all)
    session->finish_when_idle();
}

void Frontend::delay(std::shared_ptr<Session> session) {
  delayed_.push_back(std::move(session));
  if (delayed_.size() > 1) return;
  const auto send = [](uv_timer_t* timer) {
    auto* const self = static_cast<Frontend*>(timer->data);
    std::move(self->delayed_.begin(), self->delayed_.end(), std::back_inserter(self->unsent_));
    self->delayed_.clear();
  };
  uv_timer_start(delay_timer_.get(), send, RefusalQuota::kDelayMs, 0);
}

void Frontend::flush() {
  // A flush may close a connection, which may complete answers of other connections. So the loop
  // also flushes sessions that are added meanwhile.
  while (!unsent_.empty()) {
    std::swap(unsent_, flushing_);
    for (const auto& session : flushing_)
      session->connection().flush();
    flushing_.clear();
  }
  closed_.clear();
  handshakes_.end_turn();
  shared_.reading_turns.end_turn();
}

}  // namespace ringmaster::master
