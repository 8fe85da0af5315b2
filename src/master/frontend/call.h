// Call: one admitted request. Reply: the answers to one message, for a batch and for HTTP.
//
// Both hold their session weakly: it may end before them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "master/frontend/http_policy.h"
#include "master/frontend/response_queue.h"
#include "master/pipeline/dispatcher.h"
#include "master/pipeline/job.h"
#include "rpc/json_rpc.h"

namespace ringmaster::master {

class Session;

// Collects the answers to a batch, in the order of its requests: JSON-RPC allows any order, but
// some clients match answers by position. HTTP messages always have one, since HTTP responds to
// notifications, too. The destructor sends it: its calls and on_message() share it.
class Reply {
 public:
  struct Http {
    ResponseQueue::Place place;
    bool keep_alive;
    HttpVerdict verdict;
  };
  Reply(std::weak_ptr<Session> session, bool is_batch, std::optional<Http> http)
      : session_(std::move(session)), is_batch_(is_batch), http_(std::move(http)) {}
  Reply(const Reply&) = delete;
  Reply& operator=(const Reply&) = delete;
  ~Reply();

  // Opens the place of the next request that will be answered.
  ResponseQueue::Place open() { return line_.open(); }
  void add_result(Session& session, ResponseQueue::Place place, rpc::Version version,
                  std::string_view id, std::string_view result);
  void add_error(Session& session, ResponseQueue::Place place, rpc::Version version,
                 std::string_view id, const rpc::Error& error);
  // Counts a notification's error: HTTP's status reports it.
  void count_error(const rpc::Error& error);
  size_t held_bytes() const { return answers_.size() + line_.held_bytes(); }

 private:
  template <class Append>
  void add(Session& session, ResponseQueue::Place place, Append append);
  void send_http(Session& session);

  std::weak_ptr<Session> session_;
  bool is_batch_;
  std::optional<Http> http_;
  ResponseQueue line_;
  std::string answers_;  // in a batch each answer has a comma before it
  size_t answered_ = 0;
  size_t refused_ = 0;  // of these: is_refusal(), the server could not serve it now
  uint64_t retry_after_ms_ = 0;
};

class Call : public Caller, public std::enable_shared_from_this<Call> {
 public:
  // `reply`: null where the answer is the whole reply.
  Call(std::weak_ptr<Session> session, std::shared_ptr<Reply> reply, const rpc::Request& request,
       Dispatcher& dispatcher_)
      : dispatcher(dispatcher_),
        id(request.id),
        session_(std::move(session)),
        reply_(std::move(reply)),
        reply_place_(reply_ == nullptr || is_notification() ? 0 : reply_->open()),
        version_(request.version) {}

  void answer_result(std::string_view result) override;
  void answer_error(const rpc::Error& error) override;

  bool is_notification() const { return id.empty(); }
  // A notification was admitted: the reply does not wait for it.
  void leave_reply() { reply_.reset(); }

  Dispatcher& dispatcher;  // the one that admitted it
  const std::string id;    // as written; empty: a notification
  Ticket ticket;           // set once admitted
  size_t place = 0;        // index in the session's calls

 private:
  template <class Deliver>
  void answer(Deliver deliver);

  std::weak_ptr<Session> session_;
  std::shared_ptr<Reply> reply_;
  ResponseQueue::Place reply_place_;
  rpc::Version version_;
};

}  // namespace ringmaster::master
