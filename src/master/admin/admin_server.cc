#include "master/admin/admin_server.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "rpc/http_response.h"

namespace ringmaster::master {
namespace {

constexpr uint64_t kStallTickMs = 500;
constexpr net::ConnectionLimits kLimits{8 << 10, 10'000, 10'000};

}  // namespace

class AdminServer::Visit final : net::Connection::Events {
 public:
  Visit(AdminServer& server, net::Stream stream)
      : connection(std::move(stream), nullptr, *this, server.limits_, now_ns()), server_(server) {}

  // Answers the request that waits, if its answer is there.
  void try_answer();

  net::Connection connection;

 private:
  bool on_head(const rpc::HttpReader& head) override;
  // on_head has answered already; a message that is not HTTP gets no answer.
  bool on_message(std::string_view) override {
    on_ended();
    return true;
  }
  void on_unreadable(rpc::Framer::Event) override { send({400, "expected HTTP/1.1\n"}); }
  void on_ended() override {
    is_ended_ = true;
    if (waiting_) return;
    connection.finish();
    server_.finished_.push_back(this);
  }
  void on_closed() override {
    const auto found = server_.find(this);
    server_.closed_.push_back(std::move(*found));
    server_.visits_.erase(found);
  }
  void send(const PageAnswer& answer, bool is_head = false, std::string_view allow = "");

  AdminServer& server_;
  struct Waiting {
    std::string path;
    PageRequest request;
    bool is_head;
    uint64_t since_ns;
  };
  std::optional<Waiting> waiting_;
  bool is_ended_ = false;
};

AdminServer::AdminServer(uv_loop_t* loop, Pages pages)
    : loop_(loop),
      pages_(std::move(pages)),
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
    // If the clients of this turn and the turn before hold all places, refuses the new client: a
    // turn may accept clients before it reads the requests of clients accepted in the turn before.
    if (accepted_before_ + accepted_ >= kConnectionsMax) return;
    visits_.front()->connection.abort();
    closed_.clear();  // would grow until flush(); safe: no callback of a closed one runs now
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
  const std::string_view target = head.target();
  const size_t path_end = std::min(target.find('?'), target.size());
  const auto page = server_.pages_.find(target.substr(0, path_end));
  const bool is_head = head.method() == "HEAD";
  if (page == server_.pages_.end()) {
    std::string there;
    for (const auto& [path, other] : server_.pages_)
      there += ' ' + path;
    send({404, fmt::format("there are:{}\n", there)}, is_head);
  } else if (head.method() != "GET" && !is_head) {
    send({405, "expected GET or HEAD\n"}, false, "GET, HEAD");
  } else {
    const std::string_view query = target.substr(std::min(path_end + 1, target.size()));
    const bool wants_html = head.field("accept").find("text/html") != std::string_view::npos;
    waiting_ = {page->first, {std::string(query), wants_html}, is_head, now_ns()};
    try_answer();
  }
  return false;
}

void AdminServer::Visit::try_answer() {
  if (!waiting_) return;
  waiting_->request.is_late = now_ns() > waiting_->since_ns + kWaitNs;
  const std::optional<PageAnswer> answer = server_.answer(waiting_->path, waiting_->request);
  if (!answer) return;
  send(*answer, waiting_->is_head);
  waiting_.reset();
  if (is_ended_) on_ended();
}

std::optional<PageAnswer> AdminServer::answer(const std::string& path, const PageRequest& request) {
  const Page& page = pages_.find(path)->second;
  if (page.kept_ms == 0) return page.answer(request);
  Kept& kept = kept_[{path, request.wants_html}];
  const uint64_t now = now_ns();
  if (now >= kept.until_ns) kept = {page.answer(request).value(), now + page.kept_ms * kNsPerMs};
  return kept.answer;
}

void AdminServer::Visit::send(const PageAnswer& answer, bool is_head, std::string_view allow) {
  std::vector<rpc::HttpField> fields = {{"Content-Type", answer.type},
                                        {"Cache-Control", "no-store"},
                                        {"X-Content-Type-Options", "nosniff"}};
  if (!allow.empty()) fields.emplace_back("Allow", allow);
  if (!answer.content_security_policy.empty())
    fields.emplace_back("Content-Security-Policy", answer.content_security_policy);
  connection.output() += rpc::http_head(answer.status, is_head ? 0 : answer.text.size(), false,
                                        server_.date_.at(unix_now_s()), fields);
  if (!is_head) connection.output() += answer.text;
}

void AdminServer::flush() {
  for (const auto& visit : visits_)
    visit->try_answer();
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
