// Connection: one client. Answers its requests one after the other, in their order, also pipelined
// ones.
//
// Threads: the loop's only.
// Memory:  at most one piece of one answer, and kWaitingBytesMax of waiting requests; beyond that
//          the socket is not read. The owner destroys the connection in on_closed, after close().
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <uv.h>

#include "demo/feature_service/answer.h"
#include "demo/feature_service/http_codec.h"
#include "demo/feature_service/service.h"

namespace ringmaster::feature_service {

class Connection {
 public:
  using OnClosed = std::function<void(Connection&)>;

  // drip_ms is the time between two bytes of Fault::kSlowDrip.
  Connection(uv_loop_t* loop, Service& service, uint64_t drip_ms, OnClosed on_closed);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Accepts the next client of a listening socket. If the client is gone already, closes.
  void accept(uv_stream_t* listener);

  // Closes, also during an answer.
  void close();

 private:
  enum class Phase : uint8_t {
    kReading,    // between two answers
    kDelaying,   // until the delay of the answer is over
    kSending,    // a write is under way, or the timer of the next byte
    kHanging,    // until the client gives up
    kLingering,  // has sent its last answer, reads until the client closes
    kClosing,
  };

  void on_bytes(std::string_view bytes);
  void on_end(int reason);
  void take_requests();
  void begin(Answer answer);
  void send_head();
  void send_more();
  void on_sent(int status);
  void finish_answer();
  void linger();
  void write();
  void start_reading();
  void stop_reading();
  void start_timer(uint64_t ms);
  void on_timer();
  bool drips() const { return answer_.fate.fault == Fault::kSlowDrip; }
  bool is_all_sent() const { return piece_sent_ == piece_.size() && !has_more_; }
  uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(&socket_); }

  Service& service_;
  const uint64_t drip_ms_;
  OnClosed on_closed_;
  uv_tcp_t socket_{};
  uv_timer_t timer_{};
  uv_write_t write_{};
  uv_shutdown_t shutdown_{};
  int open_handles_ = 2;

  Phase phase_ = Phase::kReading;
  bool is_reading_ = false;
  bool input_ended_ = false;
  RequestReader reader_;

  Answer answer_;
  Head head_;
  std::string piece_;      // of the body
  size_t piece_sent_ = 0;  // bytes of it that are sent or in out_
  bool has_more_ = false;  // pieces after this one
  std::string out_;        // what the write under way sends
};

}  // namespace ringmaster::feature_service
