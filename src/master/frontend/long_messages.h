// LongMessages: parses long messages in libuv's thread pool, one at a time, while the loop goes on.
//
// To parse 16 MiB takes some 100 ms, and the loop serves all clients.
// Processes: the master only. Threads: the loop's. The pool's thread that parses has a lower
//            priority from then on, so that workers keep their cores.
// Order:     the clients with waiting messages take turns, a message each; those of one client are
//            parsed as they come.
// Memory:    a message's bytes are freed after on_parsed(), or by forget(). Those of a message that
//            is being parsed are freed once it is parsed; so beyond what the owners count there is
//            at most one message. No callback is called after forget(), nor after the end of this
//            object.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <uv.h>

#include "rpc/json_rpc.h"

namespace ringmaster::master {

class LongMessages {
 public:
  // Shorter messages take less than 2.5 ms: to hand them over would cost more turns of the loop
  // than it saves time.
  static constexpr size_t kBytesMin = 256 << 10;

  struct Order {
    const void* owner;   // for forget(); it has one order at a time
    std::string client;  // clients take turns
    std::string_view text;
    std::shared_ptr<const void> bytes;  // own the text
    size_t batch_items;                 // see rpc::parse()
    // Asked when the message has waited and is to be parsed. False: it is forgotten. It may forget
    // other owners' messages, too.
    std::function<bool()> is_wanted;
    std::function<void(const rpc::Message& message)> on_parsed;
  };

  explicit LongMessages(uv_loop_t* loop);
  ~LongMessages();
  LongMessages(const LongMessages&) = delete;
  LongMessages& operator=(const LongMessages&) = delete;

  // Calls back in a later turn of the loop.
  void parse(Order order);
  // The owner's message is not wanted any more.
  void forget(const void* owner);

 private:
  class Queue;  // a class of its own, since work in the pool may end after this object

  std::shared_ptr<Queue> queue_;  // work in the pool keeps it, too
};

}  // namespace ringmaster::master
