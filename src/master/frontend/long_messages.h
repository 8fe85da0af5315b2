// LongMessages: parses long messages in libuv's thread pool, one at a time, while the loop goes on.
//
// To parse 16 MiB takes some 100 ms, and the loop serves all clients.
// Processes: the master only. Threads: the loop's; the pool's thread that parses has a lower
//            priority from then on, so that workers keep their cores.
// Order:     as they come; a session gives one at a time.
// Memory:    a message's bytes live until on_parsed() has returned. After the end of this object no
//            on_parsed() is called.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <uv.h>

#include "rpc/json_rpc.h"

namespace ringmaster::master {

class LongMessages {
 public:
  // Shorter messages take less than a millisecond or two: to hand them over would cost more turns
  // of the loop than it saves time.
  static constexpr size_t kBytesMin = 256 << 10;

  using OnParsed = std::function<void(const rpc::Message& message)>;

  explicit LongMessages(uv_loop_t* loop);
  ~LongMessages();
  LongMessages(const LongMessages&) = delete;
  LongMessages& operator=(const LongMessages&) = delete;

  // `bytes` keeps the text alive. See rpc::parse() for `batch_items`.
  void parse(std::string_view text, std::shared_ptr<const void> bytes, size_t batch_items,
             OnParsed on_parsed);

 private:
  class Queue;

  std::shared_ptr<Queue> queue_;  // a work that has begun keeps it
};

}  // namespace ringmaster::master
