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

class AdminServer::Visit final : net::Connection::Events {
 public:
  Visit(AdminServer& server, net::Stream stream)
      : connection(std::move(stream), nullptr, *this, server.limits_, now_ns()), server_(server) {}

  net::Connection connection;

 private:
  bool on_head(const rpc::HttpReader& head) override;
  // on_head has answered already; a message that is not HTTP gets no answer.
  bool on_message(std::string_view) override {
    on_ended();
    return true;
  }
  void on_unreadable(rpc::Framer::Event) override { answer(400, "expected HTTP/1.1\n"); }
  void on_ended() override {
    connection.finish();
    server_.finished_.push_back(this);
  }
  void on_closed() override {
    const auto found = server_.find(this);
    server_.closed_.push_back(std::move(*found));
    server_.visits_.erase(found);
  }
  void answer(unsigned status, std::string_view text, std::string_view type = kText,
              std::string_view allow = "");

  AdminServer& server_;
};

AdminServer::AdminServer(uv_loop_t* loop, Sources sources)
    : loop_(loop),
      sources_(std::move(sources)),
      limits_(kLimits),
      stall_timer_(make_handle<uv_timer_t>(loop, this, uv_timer_init)) {
  uv_timer_start(
      stall_timer_.get(),
      [](uv_timer_t* timer) { static_cast<AdminServer*>(timer->data)->close_stalled(); },
      kStallTickMs, kStallTickMs);
}

AdminServer::~AdminServer() = default;

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
  if (visits_.size() >= kConnectionsMax) {
    // Of a burst of clients, the first are served. A turn may accept clients before it reads those
    // of the turn before, so clients that had no time to ask may hold all places.
    if (accepted_before_ + accepted_ >= kConnectionsMax) return;
    visits_.front()->connection.abort();
    closed_.clear();  // safe: none of its callbacks runs now; more may come before flush()
  }
  visits_.push_back(std::make_unique<Visit>(*this, std::move(stream)));
  visits_.back()->connection.start();
  ++accepted_;
}

AdminServer::Visits::iterator AdminServer::find(const Visit* visit) {
  return std::find_if(visits_.begin(), visits_.end(),
                      [visit](const auto& one) { return one.get() == visit; });
}

// False: the connection ends after the answer.
bool AdminServer::Visit::on_head(const rpc::HttpReader& head) {
  const std::string_view path = head.target().substr(0, head.target().find('?'));
  const bool is_head = head.method() == "HEAD";
  if (path != "/livez" && path != "/readyz" && path != "/reloads") {
    answer(404, "there are /livez, /readyz and /reloads\n");
  } else if (head.method() != "GET" && !is_head) {
    answer(405, "expected GET or HEAD\n", kText, "GET, HEAD");
  } else if (path == "/livez") {
    answer(200, is_head ? "" : "ok\n");
  } else if (path == "/reloads") {
    answer(200, is_head ? "" : server_.sources_.reloads() + '\n', "application/json");
  } else {
    const Health health = server_.sources_.health();
    answer(health.is_ready ? 200 : 503, is_head ? "" : health.text + '\n');
  }
  return false;
}

void AdminServer::Visit::answer(unsigned status, std::string_view text, std::string_view type,
                                std::string_view allow) {
  std::vector<rpc::HttpField> fields = {{"Content-Type", type}, {"Cache-Control", "no-store"}};
  if (!allow.empty()) fields.emplace_back("Allow", allow);
  connection.output() +=
      rpc::http_head(status, text.size(), false, server_.date_.at(unix_now_s()), fields);
  connection.output() += text;
}

void AdminServer::flush() {
  accepted_before_ = std::exchange(accepted_, 0);
  for (const Visit* one : std::exchange(finished_, {})) {
    const auto found = find(one);
    if (found != visits_.end()) (*found)->connection.flush();
  }
  closed_.clear();
}

void AdminServer::close_stalled() {
  const uint64_t now = now_ns();
  std::vector<net::Connection*> stalled;
  for (const auto& visit : visits_) {
    if (visit->connection.has_stalled(now) || visit->connection.has_idled(now, false)) {
      stalled.push_back(&visit->connection);
    }
  }
  for (net::Connection* connection : stalled)
    connection->abort();
}

}  // namespace ringmaster::master
