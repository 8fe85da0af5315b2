// Client: one connection of a load: sends requests in as few writes as possible, and reports
// answers.
//
// An HTTP server may end a connection after every answer, or when it is idle: the client then
// connects anew for its next request.
//
// Threads: one; only connect() blocks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/status.h"
#include "bench/codec.h"
#include "bench/options.h"

namespace ringmaster::bench {

class Client {
 public:
  // `options` must outlive the client. Does not connect yet.
  explicit Client(const Options& options) : options_(options) {}

  [[nodiscard]] Status connect();
  bool is_connected() const { return socket_.is_open(); }
  int fd() const { return socket_.get(); }
  // Whether another request may be sent now, on this connection or a new one.
  bool is_free() const { return codec_->may_pipeline() || in_flight_ == 0; }

  // Adds the request with this number; the next flush() sends it. REQUIRES: is_connected().
  void send(uint64_t number, std::string_view json);
  [[nodiscard]] Status flush();
  // Whether flush() has left bytes that the socket did not take.
  bool is_blocked() const { return sent_ < output_.size(); }

  // Reads all available bytes. Fails when a connection ends with requests unanswered, or when a
  // connection that may pipeline ends.
  [[nodiscard]] Status receive(const Codec::OnAnswer& on_answer);

 private:
  [[nodiscard]] Status on_end();

  const Options& options_;
  Fd socket_;
  std::unique_ptr<Codec> codec_;
  std::string output_;
  size_t sent_ = 0;  // of output_
  uint64_t in_flight_ = 0;
  uint64_t last_number_ = 0;
};

}  // namespace ringmaster::bench
