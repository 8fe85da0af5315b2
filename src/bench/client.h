// Client: one connection of a load: sends what it is given in as few writes as there can be, and
// says what has come back.
//
// Some HTTP servers end a connection with every answer, and any may end an idle one: the client
// then connects anew for its next request.
//
// Threads: one; nothing blocks but the connecting.
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
  // The options must outlive it. It is not connected yet.
  explicit Client(const Options& options) : options_(options) {}

  [[nodiscard]] Status connect();
  bool is_connected() const { return socket_.is_open(); }
  int fd() const { return socket_.get(); }
  // Whether another request may be sent now, to the server or to a new connection.
  bool is_free() const { return codec_->may_pipeline() || in_flight_ == 0; }

  // The request with this number, for the next flush(). REQUIRES: is_connected().
  void send(uint64_t number, std::string_view json);
  [[nodiscard]] Status flush();
  // Whether flush() has left something that the socket would not take.
  bool is_blocked() const { return sent_ < output_.size(); }

  // Reads all that is there. Fails where a connection ends that owes answers, or may at any time.
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
