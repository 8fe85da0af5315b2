#include "master/frontend/long_messages.h"

#include <deque>
#include <sys/resource.h>
#include <utility>

#include "base/assert.h"

namespace ringmaster::master {
namespace {

constexpr int kNice = 10;

// Only this thread's: Linux has a nice value for each.
void lower_priority() {
  static thread_local const bool is_lowered = ::setpriority(PRIO_PROCESS, 0, kNice) == 0;
  RM_ASSERT(is_lowered);
}

}  // namespace

class LongMessages::Queue : public std::enable_shared_from_this<Queue> {
 public:
  explicit Queue(uv_loop_t* loop) : loop_(loop) {}

  struct Work {
    std::string_view text;
    std::shared_ptr<const void> bytes;
    size_t batch_items;
    OnParsed on_parsed;
    uv_work_t request{};
    std::shared_ptr<Queue> queue{};
    rpc::Message message{};
  };

  void push(std::unique_ptr<Work> work) {
    if (parsed_ != nullptr) return waiting_.push_back(std::move(work));
    start(std::move(work));
  }
  // What on_parsed() would need is gone now.
  void end() {
    if (parsed_ != nullptr) parsed_->on_parsed = nullptr;
    waiting_.clear();
  }

 private:
  void start(std::unique_ptr<Work> work) {
    parsed_ = work.get();
    work->queue = shared_from_this();
    work->request.data = work.get();
    const auto run = [](uv_work_t* request) {
      lower_priority();
      Work& self = *static_cast<Work*>(request->data);
      self.message = rpc::parse(self.text, self.batch_items);
    };
    const auto done = [](uv_work_t* request, int) {
      std::unique_ptr<Work> self(static_cast<Work*>(request->data));
      const std::shared_ptr<Queue> queue = self->queue;
      queue->on_done(std::move(self));
    };
    RM_ASSERT(uv_queue_work(loop_, &work.release()->request, run, done) == 0);
  }

  // The next one is parsed while this one is served.
  void on_done(std::unique_ptr<Work> work) {
    parsed_ = nullptr;
    if (!waiting_.empty()) {
      std::unique_ptr<Work> next = std::move(waiting_.front());
      waiting_.pop_front();
      start(std::move(next));
    }
    if (work->on_parsed) work->on_parsed(work->message);
  }

  uv_loop_t* loop_;
  Work* parsed_ = nullptr;  // by the pool; it owns itself
  std::deque<std::unique_ptr<Work>> waiting_;
};

LongMessages::LongMessages(uv_loop_t* loop) : queue_(std::make_shared<Queue>(loop)) {}

LongMessages::~LongMessages() {
  queue_->end();
}

void LongMessages::parse(std::string_view text, std::shared_ptr<const void> bytes,
                         size_t batch_items, OnParsed on_parsed) {
  queue_->push(std::make_unique<Queue::Work>(
      Queue::Work{text, std::move(bytes), batch_items, std::move(on_parsed)}));
}

}  // namespace ringmaster::master
