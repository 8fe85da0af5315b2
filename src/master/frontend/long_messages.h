// LongMessages: parses long messages in a thread of its own, one at a time, while the loop goes on.
//
// To parse 16 MiB takes some 100 ms, and to find members of its params as much again. All clients
// would wait for the loop meanwhile.
// Processes: the master only. Threads: the loop's, which calls everything, and the one that parses.
//            The latter has a lower priority, so that workers keep their cores. It is not in
//            libuv's pool: when a thread of the pool reports its work as done, and the system has
//            just taken that thread's core, the loop spins until the thread runs again. This took
//            up to 60 ms.
// Order:     the clients with waiting messages take turns, one message each; the messages of one
//            client are parsed in the order in which they arrived.
// Memory:    a message's bytes are let go after on_parsed(), or by forget(). Those of a message
//            that is being parsed are let go only once it is parsed. So at most one message exists
//            beyond what the owners count. No callback is called after forget(), nor after the end
//            of this object. The end does not wait for the message that is being parsed.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <semaphore>
#include <string>
#include <string_view>
#include <uv.h>

#include "base/client_turns.h"
#include "base/fd.h"
#include "base/uv_handle.h"
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
    std::function<void(rpc::Message message)> on_parsed;
  };

  // Starts the thread. REQUIRES: no worker exists yet, since a handler could start all threads that
  // the user may have.
  explicit LongMessages(uv_loop_t* loop);
  ~LongMessages();
  LongMessages(const LongMessages&) = delete;
  LongMessages& operator=(const LongMessages&) = delete;

  // Calls back in a later turn of the loop.
  void parse(Order order);
  // The owner's message is not wanted any more.
  void forget(const void* owner);

 private:
  struct Work {
    Order order;
    rpc::Message message{};
  };
  // What the loop and the thread share. The one that ends last frees it.
  struct Desk {
    Fd parsed;                             // an eventfd: `work` is parsed
    std::counting_semaphore<2> orders{0};  // to parse `work`, or to end
    std::atomic<bool> is_ending = false;
    std::optional<Work> work;  // the thread's from an order until `parsed` is readable
  };

  void start(Order order);
  void start_next();
  static void run(Desk& desk);  // the thread
  void on_parsed();

  std::shared_ptr<Desk> desk_;
  UvHandle<uv_poll_t> poll_;
  Order* parsed_ = nullptr;  // handed back once the thread has the next order
  ClientTurns<Order> waiting_;
};

}  // namespace ringmaster::master
