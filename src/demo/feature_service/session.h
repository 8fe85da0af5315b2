// Session: one client. Answers its requests one after the other, in their order, also pipelined
// ones.
//
// Threads: the loop's only.
// Memory:  at most one piece of one answer, and one waiting request. While a request waits, the
//          session reads no other. The owner destroys the session in on_closed.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <uv.h>

#include "base/uv_handle.h"
#include "demo/feature_service/answer.h"
#include "demo/feature_service/service.h"
#include "net/connection.h"

namespace ringmaster::feature_service {

class Session final : net::Connection::Events {
 public:
  using OnClosed = std::function<void(Session&)>;

  // drip_ms is the time between two bytes of Fault::kSlowDrip.
  Session(uv_loop_t* loop, net::Stream stream, Service& service, uint64_t drip_ms,
          OnClosed on_closed);

 private:
  enum class Phase : uint8_t {
    kIdle,      // between two answers
    kDelaying,  // until the delay of the answer is over
    kHanging,   // until the client gives up
    kSending,   // the client is to take bytes, or the timer of the next byte runs
    kEnding,    // the last answer is sent, or on its way
  };
  struct Reply {
    Answer answer;
    bool keep_alive = false;
    bool is_http_1_0 = false;
  };

  bool on_head(const rpc::HttpReader& head) override;
  bool on_message(std::string_view message) override;
  void on_unreadable(rpc::Framer::Event why) override;
  void on_ended() override;
  void on_memory(uint64_t) override { go_on(); }
  void on_closed() override { start_timer(0); }  // must not be destroyed in its own callback
  void take(Reply reply);
  void begin(Reply reply);
  void start_timer(uint64_t ms);
  void on_timer();
  void send_head();
  void send_more();
  void go_on();
  void finish_answer();
  void end();
  bool drips() const { return reply_.answer.fate.fault == Fault::kSlowDrip; }
  bool is_all_sent() const { return piece_sent_ == piece_.size() && !has_more_; }

  Service& service_;
  const uint64_t drip_ms_;
  const OnClosed on_closed_;
  const UvHandle<uv_timer_t> timer_;
  net::Connection connection_;

  Phase phase_ = Phase::kIdle;
  bool has_input_ended_ = false;
  std::optional<Reply> next_;  // waits for the end of reply_

  Reply reply_;
  std::string piece_;        // of the body
  size_t piece_sent_ = 0;    // bytes of piece_ in the connection's output, or sent
  bool has_more_ = false;    // whether pieces follow this one
  bool is_chunked_ = false;  // the body's length is not known
};

}  // namespace ringmaster::feature_service
