#include "master/frontend/call.h"

#include <algorithm>

#include "master/frontend/session.h"

namespace ringmaster::master {
namespace {

// A result of this length is sent without a copy, by a system call of its own.
constexpr size_t kSentAtOnceBytes = 16 << 10;

// The server could not serve it now: HTTP's 503, for load balancers.
bool is_refusal(const rpc::Error& error) {
  return error.code == rpc::kOverloaded || error.code == rpc::kShuttingDown;
}

}  // namespace

Reply::~Reply() {
  const std::shared_ptr<Session> session = session_.lock();
  if (session == nullptr || session->is_closed()) return;
  session->charge(-static_cast<int64_t>(held_bytes()));
  if (is_batch_ && !answers_.empty()) {
    answers_.front() = '[';
    answers_ += ']';
  }
  if (http_) {
    send_http(*session);
  } else if (!answers_.empty()) {  // else there were only notifications
    session->respond([this](std::string& out) { out += answers_; });
  }
}

void Reply::send_http(Session& session) {
  const bool is_refused = answered_ > 0 && refused_ == answered_;
  std::vector<rpc::HttpField> fields = fields_of(http_->verdict);
  const std::string retry_after_s = std::to_string(std::max(retry_after_ms_ + 999, 1000ul) / 1000);
  if (is_refused) fields.emplace_back("Retry-After", retry_after_s);
  session.send_http(http_->place, is_refused ? 503 : 200, http_->keep_alive, fields, answers_);
}

template <class Append>
void Reply::add(Session& session, ResponseQueue::Place place, Append append) {
  const size_t was = held_bytes();
  const auto append_item = [&](std::string& out) {
    if (is_batch_) out += ',';
    append(out);
  };
  line_.complete(place, append_item, answers_);
  session.charge(static_cast<int64_t>(held_bytes() - was));
}

void Reply::add_result(Session& session, ResponseQueue::Place place, rpc::Version version,
                       std::string_view id, std::string_view result) {
  ++answered_;
  add(session, place, [&](std::string& out) { rpc::append_result(out, version, id, result); });
}

void Reply::add_error(Session& session, ResponseQueue::Place place, rpc::Version version,
                      std::string_view id, const rpc::Error& error) {
  count_error(error);
  add(session, place, [&](std::string& out) { rpc::append_error(out, version, id, error); });
}

void Reply::count_error(const rpc::Error& error) {
  ++answered_;
  if (!is_refusal(error)) return;
  ++refused_;
  retry_after_ms_ = std::max(retry_after_ms_, error.retry_after_ms.value_or(0));
}

void Call::answer_result(std::string_view result) {
  answer([&](Session& session) {
    if (is_notification()) return;
    if (reply_ != nullptr) return reply_->add_result(session, reply_place_, version_, id, result);
    if (result.size() >= kSentAtOnceBytes && rpc::is_one_line(result)) {
      return session.send_result(version_, id, result);
    }
    session.respond_result(version_, id, result);
  });
}

void Call::answer_error(const rpc::Error& error) {
  answer([&](Session& session) {
    if (is_notification()) {
      if (reply_ != nullptr) reply_->count_error(error);
    } else if (reply_ != nullptr) {
      reply_->add_error(session, reply_place_, version_, id, error);
    } else {
      session.respond_error(version_, id, error);
    }
  });
}

template <class Deliver>
void Call::answer(Deliver deliver) {
  const std::shared_ptr<Session> session = session_.lock();
  if (session == nullptr || session->is_closed()) return;
  deliver(*session);
  reply_.reset();  // the reply must be sent before the session may finish
  session->on_answered(*this);
}

}  // namespace ringmaster::master
