// Session's calls: the requests that a session gave to a dispatcher and that are not answered yet.
#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <utility>

#include "base/json/scan.h"
#include "config/payload_need.h"
#include "master/frontend/session.h"

namespace ringmaster::master {
// One request that was given to a dispatcher. The request's job owns the call. The call holds its
// session weakly, since the session may end first.
class Session::Call : public Caller, public std::enable_shared_from_this<Call> {
 public:
  // `reply`: null outside of batches and HTTP: there each answer is sent by itself.
  Call(std::weak_ptr<Session> session, std::shared_ptr<Reply> reply, const rpc::Request& request,
       Dispatcher& dispatcher_)
      : dispatcher(dispatcher_),
        id(request.id),
        session_(std::move(session)),
        reply_(std::move(reply)),
        reply_place_(reply_ == nullptr || is_notification() ? 0 : reply_->open()),
        version_(request.version),
        asks_cost_(request.asks_cost),
        asks_quote_(request.asks_quote) {}

  void on_report(const JobReport& report) override;
  void answer_result(std::string_view result) override;
  void answer_error(const rpc::Error& error) override;
  // Over HTTP, a client that ends its sending has left, since HTTP clients do not half-close. With
  // other framings: always false.
  bool has_left() const override;
  std::string_view client_id() const override { return id; }

  bool is_notification() const { return id.empty(); }
  // Call after admit(): the reply counts a notification's error only if admit() itself reported it.
  void leave_reply() { reply_.reset(); }

  Dispatcher& dispatcher;   // that admitted the request
  const std::string id;     // as written; empty: a notification
  Ticket ticket;            // set once admitted
  size_t place = 0;         // index in the session's calls
  bool is_arriving = true;  // until admit() has returned

 private:
  template <class Deliver>
  void answer(Deliver deliver);

  std::weak_ptr<Session> session_;
  std::shared_ptr<Reply> reply_;
  ResponseQueue::Place reply_place_;
  rpc::Version version_;
  bool asks_cost_;
  bool asks_quote_;
  std::string meta_;  // of the answer: see json_rpc.h
};

namespace {

// The quote as members of an object, for _meta and for the answer of rpc.quote.
std::string members_of(const Quote& quote) {
  const auto ms = [&](size_t i) { return std::ceil(quote.ns[i] / 1e4) / 100; };
  return fmt::format("\"quote_ms\":{{\"p50\":{},\"p90\":{},\"p99\":{}}},\"free\":{:.2f}", ms(0),
                     ms(1), ms(2), quote.free);
}

}  // namespace

void Session::Call::on_report(const JobReport& report) {
  if (asks_cost_) meta_ += fmt::format("\"cpu_us\":{},", report.cpu_ns / 1000);
  if (asks_quote_) meta_ += members_of(report.quote) + ',';
  meta_ = '{' + meta_;
  meta_.back() = '}';
}

void Session::Call::answer_result(std::string_view result) {
  answer([&](Session& session) {
    if (is_notification()) return;
    if (reply_ != nullptr) {
      session.charge(reply_->add_result(reply_place_, version_, id, result, meta_));
    } else if (result.size() >= kSentAtOnceBytes && rpc::is_one_line(result)) {
      session.send_result(version_, id, result, meta_);
    } else {
      session.respond_result(version_, id, result, meta_);
    }
  });
}

void Session::Call::answer_error(const rpc::Error& error) {
  answer([&](Session& session) {
    if (is_arriving) session.charge_refusal();
    if (is_notification()) {
      if (reply_ != nullptr) reply_->count_error(error);
    } else if (reply_ != nullptr) {
      session.charge(reply_->add_error(reply_place_, version_, id, error, meta_));
    } else {
      session.respond_error(version_, id, error, meta_);
    }
  });
}

bool Session::Call::has_left() const {
  if (reply_ == nullptr || !reply_->http()) return false;
  const std::shared_ptr<Session> session = session_.lock();
  return session != nullptr && !session->is_closed() && session->connection_.has_client_ended();
}

template <class Deliver>
void Session::Call::answer(Deliver deliver) {
  const std::shared_ptr<Session> session = session_.lock();
  if (session == nullptr || session->is_closed()) return;
  deliver(*session);
  // The reply must be sent before the session may finish.
  if (reply_ != nullptr) session->send_if_complete(*reply_);
  session->on_answered(*this);
}

void Session::admit(const Method& method, const rpc::Request& request,
                    const std::shared_ptr<Reply>& reply) {
  Dispatcher& dispatcher = shared_.deployment->dispatcher();
  const auto call = std::make_shared<Call>(weak_from_this(), reply, request, dispatcher);
  call->place = calls_.size();
  calls_.push_back(call.get());
  update_hold();
  std::optional<uint64_t> timeout_ms = request.timeout_ms;
  if (verdict_.timeout_ms) timeout_ms = std::min(*verdict_.timeout_ms, timeout_ms.value_or(~0ull));
  const std::string_view traceparent =
      request.traceparent.empty() ? verdict_.traceparent : request.traceparent;
  const std::optional<Ticket> ticket =
      dispatcher.admit(method, request.params, timeout_ms, call, &share(),
                       {{request.asks_cost, request.asks_quote},
                        traceparent,
                        request.found,
                        client_name(),
                        client().size() <= kClientNameBytesMax ? client() : std::string_view()});
  call->is_arriving = false;
  if (ticket) call->ticket = *ticket;
  if (request.is_notification()) call->leave_reply();
}

// The params are {"id": N}, as in the language server protocol: N is a request of the same
// connection. $/cancelRequest is answered with null, unless it is a notification.
void Session::cancel(const rpc::Request& request, Reply* reply) {
  const std::string_view id = json::find_member(request.params, "id");
  const auto found = std::find_if(calls_.begin(), calls_.end(), [id](const Call* call) {
    return !call->is_notification() && call->id == id;
  });
  if (found != calls_.end()) {
    const std::shared_ptr<Call> call = (*found)->shared_from_this();
    rpc::Error error =
        rpc::make_error(rpc::kCancelled, "cancelled", "the client cancelled the request");
    error.executed = call->dispatcher.cancel(call->ticket, rpc::kCancelled);
    call->answer_error(error);
  }
  answer(request, "null", reply);
}

// The params are {"method": NAME}. The answer has the quote that _meta would have for a request
// that arrives now, see quotes.h. Nothing runs.
void Session::quote(const rpc::Request& request, Reply* reply) {
  const std::optional<std::string> name =
      json::unquote(json::find_member(request.params, "method"));
  const Method* const method = name ? shared_.deployment->find_method(*name) : nullptr;
  if (method != nullptr) {
    const Quote quote = shared_.deployment->dispatcher().quote(*method, share());
    return answer(request, '{' + members_of(quote) + '}', reply);
  }
  const std::string what =
      name ? fmt::format("there is no method {:.100}", *name)
           : "expected the params {\"method\": NAME}, where NAME is a method of this server";
  refuse(request, rpc::make_error(rpc::kInvalidParams, "invalid_params", what), reply);
}

void Session::on_answered(const Call& call) {
  calls_.back()->place = call.place;
  calls_[call.place] = calls_.back();
  calls_.pop_back();
  update_hold();
  if (is_finishing_) finish_when_idle();
}

void Session::cancel_calls() {
  for (const Call* call : std::exchange(calls_, {})) {
    if (!call->is_notification()) call->dispatcher.cancel(call->ticket);
  }
}

}  // namespace ringmaster::master
