// LongMessages: parses long messages in libuv's thread pool, one at a time, while the loop goes on.
//
// To parse 16 MiB takes some 100 ms, and to find members of its params as much again. All clients
// would wait for the loop meanwhile.
// Processes: the master only. Threads: the loop's. A thread of the pool that has parsed a message
//            keeps a lower priority from then on, so that workers keep their cores.
// Order:     the clients with waiting messages take turns, one message each; the messages of one
//            client are parsed in the order in which they arrived.
// Memory:    a message's bytes are freed after on_parsed(), or by forget(). The bytes of a message
//            that is being parsed are freed only once it is parsed. So at most one message exists
//            beyond what the owners count. No callback is called after forget(), nor after the end
//            of this object.
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
  // Shorter messages are parsed by the loop, in less than 2.5 ms each. To hand them to a thread
  // would cost them turns of the loop, and save little.
  static constexpr size_t kBytesMin = 256 << 10;

  struct Order {
    const void* owner;   // for forget(); it has one order at a time
    std::string client;  // clients take turns
    std::string_view text;
    std::shared_ptr<const void> bytes;  // keep the text valid
    size_t batch_items;                 // see rpc::parse(), also for `wanted`
    std::shared_ptr<const rpc::Wanted> wanted;
    // Called before a message that has waited is parsed. False: the message is dropped. The
    // callback may call forget() for other owners.
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
