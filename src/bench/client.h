// Client: one connection of a load: sends what it is given in as few writes as there can be, and
// says what has come back.
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
  [[nodiscard]] static Result<std::unique_ptr<Client>> connect(const Options& options);

  int fd() const { return socket_.get(); }
  // Whether another request may be sent now.
  bool is_free() const { return codec_->may_pipeline() || in_flight_ == 0; }

  // The request with this number, for the next flush().
  void send(uint64_t number, std::string_view json);
  [[nodiscard]] Status flush();
  // Whether flush() has left something that the socket would not take.
  bool is_blocked() const { return sent_ < output_.size(); }

  // Reads all that is there. Fails at the connection's end: a load needs all of its connections.
  [[nodiscard]] Status receive(const Codec::OnAnswer& on_answer);

 private:
  Client(Fd socket, std::unique_ptr<Codec> codec)
      : socket_(std::move(socket)), codec_(std::move(codec)) {}

  Fd socket_;
  std::unique_ptr<Codec> codec_;
  std::string output_;
  size_t sent_ = 0;  // of output_
  uint64_t in_flight_ = 0;
  uint64_t last_number_ = 0;
};

}  // namespace ringmaster::bench
