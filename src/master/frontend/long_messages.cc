#include "master/frontend/long_messages.h"

#include <sys/resource.h>
#include <utility>

#include "base/assert.h"
#include "base/client_turns.h"

namespace ringmaster::master {
namespace {

constexpr int kNice = 10;

// Affects the calling thread only: on Linux each thread has a nice value of its own. If the system
// refuses, the thread keeps its priority.
void lower_priority() {
  static thread_local bool is_done = false;
  if (std::exchange(is_done, true)) return;
  if (::getpriority(PRIO_PROCESS, 0) < kNice) ::setpriority(PRIO_PROCESS, 0, kNice);
}

}  // namespace

class LongMessages::Queue : public std::enable_shared_from_this<Queue> {
 public:
  explicit Queue(uv_loop_t* loop) : loop_(loop) {}

  void push(Order order) {
    const std::string client = order.client;
    waiting_.push(client, std::move(order));
    if (in_pool_ == nullptr) start(waiting_.pop());
  }
  void forget(const void* owner) {
    for (Work* work : {in_pool_, parsed_}) {
      if (work != nullptr && work->order.owner == owner) work->order.on_parsed = nullptr;
    }
    waiting_.erase_if([owner](const Order& order) { return order.owner == owner; });
  }
  // The owners are gone: no callback is called any more.
  void end() {
    if (in_pool_ != nullptr) in_pool_->order.on_parsed = nullptr;
    waiting_ = {};
  }

 private:
  struct Work {
    uv_work_t request{};
    std::shared_ptr<Queue> queue;
    Order order;
    rpc::Message message{};
  };

  // uv_queue_work() fails only without a function to run.
  void start(Order order) {
    in_pool_ = new Work{{}, shared_from_this(), std::move(order)};
    in_pool_->request.data = in_pool_;
    const auto run = [](uv_work_t* request) {
      lower_priority();
      Work& self = *static_cast<Work*>(request->data);
      self.message = rpc::parse(self.order.text, self.order.batch_items, *self.order.wanted);
    };
    const auto done = [](uv_work_t* request, int) {
      const std::unique_ptr<Work> self(static_cast<Work*>(request->data));
      Queue& queue = *self->queue;
      queue.in_pool_ = nullptr;
      queue.parsed_ = self.get();
      queue.start_next();  // the next one is parsed while this one is served
      queue.parsed_ = nullptr;
      if (self->order.on_parsed) self->order.on_parsed(self->message);
    };
    RM_ASSERT(uv_queue_work(loop_, &in_pool_->request, run, done) == 0);
  }

  void start_next() {
    while (!waiting_.is_empty()) {
      Order order = waiting_.pop();
      if (order.is_wanted()) return start(std::move(order));
    }
  }

  uv_loop_t* loop_;
  Work* in_pool_ = nullptr;  // `done` of start() deletes it
  Work* parsed_ = nullptr;   // handed back once the next one is in the pool
  ClientTurns<Order> waiting_;
};

LongMessages::LongMessages(uv_loop_t* loop) : queue_(std::make_shared<Queue>(loop)) {}

LongMessages::~LongMessages() {
  queue_->end();
}

void LongMessages::parse(Order order) {
  queue_->push(std::move(order));
}

void LongMessages::forget(const void* owner) {
  queue_->forget(owner);
}

}  // namespace ringmaster::master
