#include "master/front.h"

#include <utility>

#include "base/clock.h"
#include "base/log.h"

namespace ringmaster::master {
namespace {

constexpr uint64_t kPatienceTickMs = 250;

}  // namespace

Front::Front(uv_loop_t* loop, const Options& options, Dispatcher& dispatcher)
    : loop_(loop),
      options_(options),
      shared_{options.limits, methods_, dispatcher,
              [this](std::shared_ptr<Session> session) { unsent_.push_back(std::move(session)); }},
      patience_(net::make_handle<uv_timer_t>(loop, this, uv_timer_init)) {
  for (const Method& method : options.methods)
    methods_.emplace(method.name, &method);
  events_.on_message = [this](net::Connection& connection, std::string_view message) {
    return session_of(connection).on_message(message);
  };
  events_.on_unreadable = [this](net::Connection& connection, rpc::Framer::Event why) {
    session_of(connection).on_unreadable(why);
  };
  events_.on_ended = [this](net::Connection& connection) { session_of(connection).on_ended(); };
  events_.on_closed = [this](net::Connection& connection) {
    const auto session = sessions_.find(&connection);
    closed_.push_back(std::move(session->second));
    sessions_.erase(session);
  };
}

Status Front::bind(std::vector<Fd> inherited) {
  for (Fd& socket : inherited)
    listeners_.push_back(net::Listener::adopt(std::move(socket)));
  if (!listeners_.empty()) return {};
  for (const net::Address& address : options_.listen_rpc) {
    Result<std::unique_ptr<net::Listener>> listener = net::Listener::bind(address);
    if (!listener) return tl::unexpected(listener.error());
    listeners_.push_back(std::move(*listener));
  }
  return {};
}

Status Front::listen() {
  for (const auto& listener : listeners_) {
    Status listening =
        listener->listen(loop_, [this](net::Stream stream) { accept(std::move(stream)); });
    if (!listening) return listening;
    log(Level::kInfo, "listening", {{"address", listener->address()}});
  }
  uv_timer_start(
      patience_.get(), [](uv_timer_t* timer) { static_cast<Front*>(timer->data)->close_stalled(); },
      kPatienceTickMs, kPatienceTickMs);
  return {};
}

std::vector<std::string> Front::addresses() const {
  std::vector<std::string> addresses;
  for (const auto& listener : listeners_)
    addresses.push_back(listener->address());
  return addresses;
}

void Front::accept(net::Stream stream) {
  auto session = std::make_shared<Session>(std::move(stream), events_, shared_, now_ns());
  net::Connection& connection = session->connection();
  sessions_.emplace(&connection, session);
  if (sessions_.size() > options_.limits.connections) return session->refuse_connection();
  connection.start();
}

void Front::close_stalled() {
  std::vector<std::shared_ptr<Session>> stalled;
  const uint64_t now = now_ns();
  for (const auto& [connection, session] : sessions_) {
    if (connection->is_stalled(now)) stalled.push_back(session);
  }
  for (const auto& session : stalled)
    session->connection().abort();
}

void Front::drain() {
  listeners_.clear();
  shared_.is_draining = true;
}

void Front::finish() {
  std::vector<std::shared_ptr<Session>> all;
  for (const auto& [connection, session] : sessions_)
    all.push_back(session);
  for (const auto& session : all)
    session->finish_when_idle();
}

void Front::flush() {
  // A flush may close a connection, and with it end what others wait for: whatever is added
  // meanwhile is flushed, too.
  while (!unsent_.empty()) {
    std::swap(unsent_, flushing_);
    for (const auto& session : flushing_)
      session->connection().flush();
    flushing_.clear();
  }
  closed_.clear();
}

}  // namespace ringmaster::master
