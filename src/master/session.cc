#include "master/session.h"

#include <fmt/format.h>
#include <utility>

namespace ringmaster::master {
namespace {

// A result of this length is worth a system call of its own, that it need not be copied.
constexpr size_t kSentAtOnceBytes = 16 << 10;

}  // namespace

// Collects the answers of a batch, in the order in which they come, into one response.
class Session::Batch {
 public:
  explicit Batch(std::weak_ptr<Session> session) : session_(std::move(session)) {}
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;
  // The last call of the batch has let go of it. Only notifications: nothing is sent.
  ~Batch() {
    const std::shared_ptr<Session> session = session_.lock();
    if (session == nullptr || session->connection_.is_closed() || answers_.empty()) return;
    session->connection_.charge(-static_cast<int64_t>(answers_.size()));
    session->begin_response() += answers_ + ']';
    session->end_response();
  }

  // `append` adds the answer to the string that it is given.
  template <class Append>
  void add(Session& session, Append append) {
    const size_t was = answers_.size();
    answers_ += was == 0 ? '[' : ',';
    append(answers_);
    session.connection_.charge(static_cast<int64_t>(answers_.size() - was));
    session.shared_.on_unsent(session.shared_from_this());  // so that it is counted
  }

 private:
  std::weak_ptr<Session> session_;
  std::string answers_;
};

// One request that was admitted: gives its answer to whoever is still there.
class Session::Call : public Caller {
 public:
  Call(std::weak_ptr<Session> session, std::shared_ptr<Batch> batch, const rpc::Request& request,
       Dispatcher& dispatcher_)
      : dispatcher(dispatcher_),
        session_(std::move(session)),
        batch_(std::move(batch)),
        id_(request.id),
        version_(request.version) {}

  void answer_result(std::string_view result) override {
    if (batch_ == nullptr && result.size() >= kSentAtOnceBytes && rpc::is_one_line(result)) {
      return answer([&](Session& session) { session.send_result(version_, id_, result); });
    }
    append([&](std::string& out) { rpc::append_result(out, version_, id_, result); });
  }
  void answer_error(const rpc::Error& error) override {
    append([&](std::string& out) { rpc::append_error(out, version_, id_, error); });
  }

  bool is_notification() const { return id_.empty(); }

  Dispatcher& dispatcher;  // that admits it
  ipc::JobId job;          // once it was admitted
  size_t place = 0;        // among its session's calls

 private:
  template <class Append>
  void append(Append append) {
    answer([&](Session& session) {
      if (batch_ != nullptr) return batch_->add(session, append);
      append(session.begin_response());
      session.end_response();
    });
  }

  template <class Deliver>
  void answer(Deliver deliver) {
    const std::shared_ptr<Session> session = session_.lock();
    if (session == nullptr || session->connection_.is_closed()) return;
    if (!is_notification()) deliver(*session);
    batch_.reset();  // before the session may finish: the batch's response must be out
    session->on_answered(*this);
  }

  std::weak_ptr<Session> session_;
  std::shared_ptr<Batch> batch_;
  std::string id_;  // empty: a notification
  rpc::Version version_;
};

Session::Session(net::Stream stream, const net::Connection::Events& events, Shared& shared,
                 uint64_t now_ns)
    : shared_(shared), connection_(std::move(stream), events, shared.connection_limits, now_ns) {}

bool Session::on_message(std::string_view text) {
  const rpc::Message message = rpc::parse(text, limits().batch_items);
  const bool is_json = message.requests.empty() || !message.requests.front().error ||
                       message.requests.front().error->code != rpc::kParseError;
  const auto batch =
      message.is_batch ? std::make_shared<Batch>(weak_from_this()) : std::shared_ptr<Batch>();
  for (const rpc::Request& request : message.requests)
    begin(request, batch);
  return is_json;
}

void Session::begin(const rpc::Request& request, const std::shared_ptr<Batch>& batch) {
  if (request.error) return refuse(request, *request.error, batch.get());
  rpc::Error error;
  const Method* method = shared_.deployment->find_method(request.method);
  if (method == nullptr) {
    const std::string_view near = shared_.deployment->nearest_method(request.method);
    error.code = rpc::kMethodNotFound;
    error.message = fmt::format("there is no method {:.100}", request.method);
    if (!near.empty()) error.message += fmt::format("; did you mean {}?", near);
    error.reason = "method_not_found";
    return refuse(request, error, batch.get());
  }
  if (shared_.is_draining) {
    error.code = rpc::kShuttingDown;
    error.message = "the server is shutting down";
    error.reason = "shutting_down";
    error.retryable = true;
    return refuse(request, error, batch.get());
  }
  Dispatcher& dispatcher = shared_.deployment->dispatcher();
  const auto call = std::make_shared<Call>(weak_from_this(), batch, request, dispatcher);
  call->place = calls_.size();
  calls_.push_back(call.get());
  if (calls_.size() >= limits().in_flight_per_connection && !is_held_) {
    is_held_ = true;
    connection_.hold_reading(true);
  }
  const auto job = dispatcher.admit(*method, request.params, request.timeout_ms, call);
  if (job) call->job = *job;
}

void Session::refuse(const rpc::Request& request, const rpc::Error& error, Batch* batch) {
  if (request.is_notification()) return;
  const auto append = [&](std::string& out) {
    rpc::append_error(out, request.version, request.id, error);
  };
  if (batch != nullptr) return batch->add(*this, append);
  append(begin_response());
  end_response();
}

void Session::refuse_message(int32_t code, std::string reason, std::string message,
                             uint64_t limit) {
  rpc::Error error;
  error.code = code;
  error.message = std::move(message);
  error.reason = std::move(reason);
  if (limit > 0) error.limit = limit;
  rpc::append_error(begin_response(), rpc::Version::k2, "", error);
  end_response();
}

void Session::on_unreadable(rpc::Framer::Event why) {
  switch (why) {
    case rpc::Framer::Event::kTooLarge:
      return refuse_message(rpc::kRequestTooLarge, "request_too_large",
                            fmt::format("a message of more than {} bytes", limits().request_bytes),
                            limits().request_bytes);
    case rpc::Framer::Event::kNotAFraming:
      return refuse_message(rpc::kParseError, "unknown_framing",
                            "expected JSON-RPC: JSON values that begin with { or [", 0);
    default:
      return refuse_message(rpc::kParseError, "incomplete",
                            "the connection ended inside of a message", 0);
  }
}

void Session::refuse_connection() {
  refuse_message(rpc::kOverloaded, "too_many_connections",
                 fmt::format("{} connections are open", limits().connections),
                 limits().connections);
  finish_when_idle();
}

void Session::on_ended() {
  finish_when_idle();
}

void Session::end_response() {
  connection_.output() += '\n';
  shared_.on_unsent(shared_from_this());
}

void Session::send_result(rpc::Version version, std::string_view id, std::string_view result) {
  rpc::begin_result(begin_response(), version, id);
  connection_.send(result, std::string(rpc::end_of_result(version)) + '\n');
  shared_.on_unsent(shared_from_this());
}

void Session::on_answered(const Call& call) {
  calls_.back()->place = call.place;
  calls_[call.place] = calls_.back();
  calls_.pop_back();
  if (calls_.size() < limits().in_flight_per_connection && is_held_) {
    is_held_ = false;
    connection_.hold_reading(false);
    shared_.on_unsent(shared_from_this());  // what was read and held is due, too
  }
  if (is_finishing_) finish_when_idle();
}

void Session::on_closed() {
  for (const Call* call : std::exchange(calls_, {})) {
    if (!call->is_notification()) call->dispatcher.cancel(call->job);
  }
}

void Session::finish_when_idle() {
  is_finishing_ = true;
  if (!is_idle()) return;
  connection_.finish();
  shared_.on_unsent(shared_from_this());
}

}  // namespace ringmaster::master
