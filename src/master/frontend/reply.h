// Reply: the answers to one message, for a batch and for HTTP.
//
// A batch is answered in the order of its requests: JSON-RPC allows any order, but some clients
// match answers by position. Each HTTP message has a reply, since HTTP responds to notifications,
// too.
// Pure. Memory: the answers, until the last one has come.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "master/frontend/http_policy.h"
#include "master/frontend/response_queue.h"
#include "rpc/json_rpc.h"

namespace ringmaster::master {

class Reply {
 public:
  struct Http {
    ResponseQueue::Place place;
    bool keep_alive;
    HttpVerdict verdict;
  };
  Reply(bool is_batch, std::optional<Http> http) : is_batch_(is_batch), http_(std::move(http)) {}

  // Opens the place of the next request that will be answered.
  ResponseQueue::Place open() { return responses_.open(); }
  // Completes an open place. Returns how many more bytes the reply holds now.
  int64_t add_result(ResponseQueue::Place place, rpc::Version version, std::string_view id,
                     std::string_view result, std::string_view meta = "");
  int64_t add_error(ResponseQueue::Place place, rpc::Version version, std::string_view id,
                    const rpc::Error& error, std::string_view meta = "");
  // Counts a notification's error: HTTP's status reports it.
  void count_error(const rpc::Error& error);
  // All requests of the message have begun: no place will be opened any more.
  void close() { is_closed_ = true; }

  // Closed, and no answer is missing: the reply is to be sent.
  bool is_complete() const { return is_closed_ && responses_.is_empty(); }
  int64_t held_bytes() const {
    return static_cast<int64_t>(answers_.size() + responses_.held_bytes());
  }
  // The text of a complete reply; empty if there were only notifications. Call once.
  std::string take_text();
  const std::optional<Http>& http() const { return http_; }
  // Whether there were answers, and each said that the server cannot serve the request now and has
  // not run it. HTTP then answers 503, so that a load balancer may ask another server.
  bool is_refused() const { return answered_ > 0 && refused_ == answered_; }
  uint64_t retry_after_s() const { return std::max(retry_after_ms_ + 999, 1000ul) / 1000; }

 private:
  template <class Append>
  int64_t add(ResponseQueue::Place place, Append append);

  bool is_batch_;
  bool is_closed_ = false;
  std::optional<Http> http_;
  ResponseQueue responses_;
  std::string answers_;  // in a batch each answer has a comma before it
  size_t answered_ = 0;
  size_t refused_ = 0;  // the answers that is_refused() is about
  uint64_t retry_after_ms_ = 0;
};

// Null: the message is one request, and not HTTP's.
inline std::shared_ptr<Reply> reply_to(const rpc::Message& message,
                                       const std::optional<Reply::Http>& http) {
  if (!message.is_batch && !http) return nullptr;
  return std::make_shared<Reply>(message.is_batch, http);
}

}  // namespace ringmaster::master
