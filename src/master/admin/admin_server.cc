#include "master/admin/admin_server.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread_clock.h"
#include "rpc/http_response.h"

namespace ringmaster::master {
namespace {

constexpr uint64_t kStallTickMs = 500;
constexpr net::ConnectionLimits kLimits{8 << 10, 10'000, 10'000};

// The line that HAProxy's agent-check sends, and the page that answers it.
constexpr std::string_view kAgentLine = "agent\n";
constexpr std::string_view kAgentPage = "/agent";

}  // namespace

class AdminServer::Visit final : net::Connection::Events {
 public:
  Visit(AdminServer& server, net::Stream stream)
      : since_ns(now_ns()),
        connection(std::move(stream), nullptr, *this, server.limits_, since_ns),
        server_(server) {
    connection.expect_line(kAgentLine);
  }

  // Answers the waiting request, if its answer is there, and sends as much as the client takes.
  void advance();
  // The text that is not sent yet. Null: there is none.
  const std::string* unsent() const { return rest_.empty() ? nullptr : &answer_->text; }
  bool is_waiting() const { return waiting_.has_value(); }

  const uint64_t since_ns;
  net::Connection connection;
  bool is_due = false;  // it is in due_

 private:
  bool on_head(const rpc::HttpReader& head) override;
  // on_head() has answered HTTP already. Of other messages, only the agent's line gets an answer.
  bool on_message(std::string_view message) override {
    const auto page = server_.pages_.find(kAgentPage);
    const bool is_agent =
        !is_ended_ && message.size() + 1 == kAgentLine.size() && kAgentLine.starts_with(message);
    if (is_agent && page != server_.pages_.end())
      connection.output() += page->second.answer({})->text;
    on_ended();
    return true;
  }
  void on_unreadable(rpc::Framer::Event) override { refuse({400, "expected HTTP/1.1\n"}); }
  // Follows each of the three above.
  void on_ended() override {
    is_ended_ = true;
    server_.note_due(*this);
  }
  // The client may have taken a piece of the text.
  void on_memory(uint64_t) override {
    if (!rest_.empty()) server_.note_due(*this);
  }
  void on_closed() override {
    std::erase(server_.due_, this);
    const auto found = server_.find(this);
    server_.closed_.push_back(std::move(*found));
    server_.visits_.erase(found);
  }
  void try_answer();
  void add_piece();
  void send(Answer answer, bool is_head = false, std::string_view allow = "");
  void refuse(PageAnswer answer, bool is_head = false, std::string_view allow = "") {
    send(std::make_shared<const PageAnswer>(std::move(answer)), is_head, allow);
  }

  AdminServer& server_;
  struct Waiting {
    std::string path;
    PageRequest request;
    bool is_head;
    uint64_t since_ns;
  };
  std::optional<Waiting> waiting_;
  Answer answer_;
  std::string_view rest_;  // of the answer's text
  bool is_ended_ = false;
};

AdminServer::AdminServer(uv_loop_t* loop, Pages pages)
    : loop_(loop),
      pages_(std::move(pages)),
      limits_(kLimits),
      stall_timer_(make_handle<uv_timer_t>(loop, this, uv_timer_init)),
      again_timer_(make_handle<uv_timer_t>(loop, this, uv_timer_init)) {
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
  return next_->listener->listen(
      loop_, [this](net::Stream stream) { accept(std::move(stream)); }, kAcceptLimits);
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
    // The requests of clients accepted in this turn or the previous one may not have been read yet.
    // If such clients hold all places, the new client is refused.
    if (accepted_before_ + accepted_ >= kConnectionsMax) return;
    visits_.front()->connection.abort();
    closed_.clear();  // else closed_ grows until flush(). No callback of these connections runs now
  }
  visits_.push_back(std::make_unique<Visit>(*this, std::move(stream)));
  visits_.back()->connection.start();
  ++accepted_;
}

AdminServer::Visits::iterator AdminServer::find(const Visit* visit) {
  return std::find_if(visits_.begin(), visits_.end(),
                      [visit](const auto& one) { return one.get() == visit; });
}

// Returns false: the connection ends after the answer.
bool AdminServer::Visit::on_head(const rpc::HttpReader& head) {
  const std::string_view target = head.target();
  const size_t path_end = std::min(target.find('?'), target.size());
  const auto page = server_.pages_.find(target.substr(0, path_end));
  const bool is_head = head.method() == "HEAD";
  if (page == server_.pages_.end()) {
    std::string there;
    for (const auto& [path, other] : server_.pages_)
      there += ' ' + path;
    refuse({404, fmt::format("there are:{}\n", there)}, is_head);
  } else if (head.method() != "GET" && !is_head) {
    refuse({405, "expected GET or HEAD\n"}, false, "GET, HEAD");
  } else {
    std::string_view query = target.substr(std::min(path_end + 1, target.size()));
    if (!page->second.uses_query) query = "";
    const bool wants_html = head.field("accept").find("text/html") != std::string_view::npos;
    waiting_ = {page->first, {std::string(query), wants_html}, is_head, now_ns()};
  }
  return false;
}

void AdminServer::Visit::try_answer() {
  waiting_->request.is_late = now_ns() > waiting_->since_ns + kWaitNs;
  Answer answer = server_.answer(waiting_->path, waiting_->request);
  if (answer == nullptr) return;
  send(std::move(answer), waiting_->is_head);
  waiting_.reset();
}

void AdminServer::Visit::send(Answer answer, bool is_head, std::string_view allow) {
  std::vector<rpc::HttpField> fields = {{"Content-Type", answer->type},
                                        {"Cache-Control", "no-store"},
                                        {"X-Content-Type-Options", "nosniff"}};
  if (!allow.empty()) fields.emplace_back("Allow", allow);
  if (!answer->content_security_policy.empty())
    fields.emplace_back("Content-Security-Policy", answer->content_security_policy);
  connection.output() += rpc::http_head(answer->status, is_head ? 0 : answer->text.size(), false,
                                        server_.date_.at(unix_now_s()), fields);
  if (is_head) return;
  answer_ = std::move(answer);
  rest_ = answer_->text;
  add_piece();  // writes the head, too
}

void AdminServer::Visit::add_piece() {
  connection.send(rest_.substr(0, kPieceBytes), "");
  rest_.remove_prefix(std::min(rest_.size(), kPieceBytes));
  if (rest_.empty()) answer_.reset();
}

void AdminServer::Visit::advance() {
  is_due = false;
  if (waiting_) try_answer();
  if (waiting_) server_.ask_again_later();
  connection.flush();
  while (!connection.is_closed() && !rest_.empty() && !connection.has_unsent()) {
    add_piece();
    connection.flush();
  }
  if (connection.is_closed() || !rest_.empty() || waiting_ || !is_ended_) return;
  connection.finish();
  connection.flush();
}

AdminServer::Answer AdminServer::answer(const std::string& path, const PageRequest& request) {
  const Page& page = pages_.find(path)->second;
  const auto made = [](std::optional<PageAnswer> answer) {
    return answer ? std::make_shared<const PageAnswer>(std::move(*answer)) : nullptr;
  };
  if (page.kept_ms == 0) return made(page.answer(request));
  const uint64_t now = now_ns();
  std::erase_if(kept_, [&](const auto& one) { return now > one.second.made_ns + kStaleNs; });
  uint64_t& rests_until_ns = rests_until_ns_[page.is_long ? "" : path];
  const auto key = std::tuple(path, request.query, request.wants_html);
  if (const auto found = kept_.find(key); found != kept_.end()) {
    if (now < std::max(rests_until_ns, found->second.made_ns + page.kept_ms * kNsPerMs))
      return found->second.answer;
  }
  if (now < rests_until_ns) {
    return request.is_late ? made(PageAnswer{503, "other clients ask for this page\n"}) : nullptr;
  }
  const uint64_t cpu_ns = thread_cpu_ns();
  Answer answer = made(page.answer(request));
  if (answer == nullptr) return nullptr;
  rests_until_ns = now + kRest * (thread_cpu_ns() - cpu_ns);
  kept_[key] = {answer, now};
  return answer;
}

void AdminServer::note_due(Visit& visit) {
  if (!std::exchange(visit.is_due, true)) due_.push_back(&visit);
}

void AdminServer::ask_again_later() {
  if (uv_is_active(reinterpret_cast<const uv_handle_t*>(again_timer_.get())) != 0) return;
  uv_timer_start(
      again_timer_.get(),
      [](uv_timer_t* timer) {
        auto* self = static_cast<AdminServer*>(timer->data);
        for (const auto& visit : self->visits_)
          if (visit->is_waiting()) self->note_due(*visit);
      },
      kAgainMs, 0);
}

void AdminServer::flush() {
  if (!due_.empty()) {
    // Visits that close meanwhile go to closed_.
    for (Visit* visit : std::exchange(due_, {}))
      visit->advance();
    bound_texts();
  }
  accepted_before_ = std::exchange(accepted_, 0);
  closed_.clear();
}

// If the texts that slow readers hold are too long together, closes the oldest readers.
void AdminServer::bound_texts() {
  std::set<const std::string*> texts;
  uint64_t bytes = 0;
  std::vector<net::Connection*> beyond;
  for (size_t i = visits_.size(); i-- > 0;) {
    const std::string* const text = visits_[i]->unsent();
    if (text == nullptr || !texts.insert(text).second) continue;
    bytes += text->size();
    if (bytes > kTextBytesMax && texts.size() > 1) beyond.push_back(&visits_[i]->connection);
  }
  for (net::Connection* connection : beyond)
    connection->abort();
}

void AdminServer::close_stalled() {
  const uint64_t now = now_ns();
  std::vector<net::Connection*> stalled;
  for (const auto& visit : visits_) {
    if (visit->connection.has_stalled(now) || visit->connection.has_idled(now, false) ||
        now > visit->since_ns + kVisitNs) {
      stalled.push_back(&visit->connection);
    }
  }
  for (net::Connection* connection : stalled)
    connection->abort();
}

}  // namespace ringmaster::master
