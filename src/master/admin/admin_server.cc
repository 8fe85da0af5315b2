#include "master/admin/admin_server.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "rpc/http_response.h"

namespace ringmaster::master {
namespace {

constexpr uint64_t kStallTickMs = 500;
constexpr net::ConnectionLimits kLimits{1 << 10, 10'000, 10'000};

}  // namespace

AdminServer::AdminServer(uv_loop_t* loop, Sources sources)
    : loop_(loop),
      sources_(std::move(sources)),
      limits_(kLimits),
      stall_timer_(make_handle<uv_timer_t>(loop, this, uv_timer_init)) {
  events_.on_head = [this](net::Connection& connection, const rpc::HttpReader& head) {
    return on_head(connection, head);
  };
  // on_head has answered already; a message that is not HTTP gets no answer.
  events_.on_message = [this](net::Connection& connection, std::string_view) {
    finish(connection);
    return true;
  };
  events_.on_unreadable = [this](net::Connection& connection, rpc::Framer::Event) {
    answer(connection, 400, "expected HTTP/1.1\n");
  };
  events_.on_ended = [this](net::Connection& connection) { finish(connection); };
  events_.on_memory = [](net::Connection&, uint64_t) {};
  events_.on_closed = [this](net::Connection& connection) {
    const auto found = find(&connection);
    closed_.push_back(std::move(*found));
    connections_.erase(found);
  };
  uv_timer_start(
      stall_timer_.get(),
      [](uv_timer_t* timer) { static_cast<AdminServer*>(timer->data)->close_stalled(); },
      kStallTickMs, kStallTickMs);
}

Status AdminServer::bind(const net::Address& address, const net::UnixAccess& unix_access) {
  next_.reset();
  if (address == now_.configured) return {};
  Entrance next{address, nullptr};
  if (!address.empty()) {
    auto listener = net::Listener::bind(address, unix_access);
    if (!listener) {
      return fail(listener.error().exit_code, "listen.status: " + listener.error().message);
    }
    next.listener = std::move(*listener);
  }
  next_ = std::move(next);
  return {};
}

Status AdminServer::listen() {
  if (!next_ || next_->listener == nullptr) return {};
  return next_->listener->listen(loop_, [this](net::Stream stream) { accept(std::move(stream)); });
}

void AdminServer::open() {
  if (!next_) return;
  if (next_->listener != nullptr) {
    log(Level::kInfo, "listening", {{"what", "status"}, {"address", next_->listener->address()}});
  }
  now_ = std::move(*next_);
  next_.reset();
}

void AdminServer::accept(net::Stream stream) {
  if (connections_.size() >= kConnectionsMax) {
    // The first of a burst are served. A turn may accept clients before it reads those of the turn
    // before: all places may be held by clients that had no time to ask.
    if (accepted_before_ + accepted_ >= kConnectionsMax) return;
    connections_.front()->abort();
    closed_.clear();  // safe: none of its callbacks runs now; more may come before flush()
  }
  connections_.push_back(
      std::make_unique<net::Connection>(std::move(stream), nullptr, events_, limits_, now_ns()));
  connections_.back()->start();
  ++accepted_;
}

AdminServer::Connections::iterator AdminServer::find(const net::Connection* connection) {
  return std::find_if(connections_.begin(), connections_.end(),
                      [connection](const auto& one) { return one.get() == connection; });
}

// False: the connection ends after the answer.
bool AdminServer::on_head(net::Connection& connection, const rpc::HttpReader& head) {
  const std::string_view path = head.target().substr(0, head.target().find('?'));
  const bool is_head = head.method() == "HEAD";
  if (path != "/livez" && path != "/readyz" && path != "/reloads") {
    answer(connection, 404, "there are /livez, /readyz and /reloads\n");
  } else if (head.method() != "GET" && !is_head) {
    answer(connection, 405, "expected GET or HEAD\n", kText, "GET, HEAD");
  } else if (path == "/livez") {
    answer(connection, 200, is_head ? "" : "ok\n");
  } else if (path == "/reloads") {
    answer(connection, 200, is_head ? "" : sources_.reloads() + '\n', "application/json");
  } else {
    const Health health = sources_.health();
    answer(connection, health.is_ready ? 200 : 503, is_head ? "" : health.text + '\n');
  }
  return false;
}

void AdminServer::answer(net::Connection& connection, unsigned status, std::string_view text,
                         std::string_view type, std::string_view allow) {
  std::vector<rpc::HttpField> fields = {{"Content-Type", type}, {"Cache-Control", "no-store"}};
  if (!allow.empty()) fields.emplace_back("Allow", allow);
  connection.output() += rpc::http_head(status, text.size(), false, date_.at(unix_now_s()), fields);
  connection.output() += text;
}

void AdminServer::finish(net::Connection& connection) {
  connection.finish();
  finished_.push_back(&connection);
}

void AdminServer::flush() {
  accepted_before_ = std::exchange(accepted_, 0);
  for (const net::Connection* one : std::exchange(finished_, {})) {
    const auto found = find(one);
    if (found != connections_.end()) (*found)->flush();
  }
  closed_.clear();
}

void AdminServer::close_stalled() {
  const uint64_t now = now_ns();
  std::vector<net::Connection*> stalled;
  for (const auto& connection : connections_) {
    if (connection->has_stalled(now) || connection->has_idled(now, false)) {
      stalled.push_back(connection.get());
    }
  }
  for (net::Connection* connection : stalled)
    connection->abort();
}

}  // namespace ringmaster::master
