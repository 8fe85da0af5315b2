#include "master/frontend/long_messages.h"

#include <csignal>
#include <cstdint>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include "base/assert.h"

namespace ringmaster::master {
namespace {

constexpr int kNice = 10;

// Affects the calling thread only: on Linux each thread has a nice value of its own. If the system
// refuses, the thread keeps its priority.
void lower_priority() {
  if (::getpriority(PRIO_PROCESS, 0) < kNice) ::setpriority(PRIO_PROCESS, 0, kNice);
}

}  // namespace

LongMessages::LongMessages(uv_loop_t* loop) : desk_(std::make_shared<Desk>()) {
  desk_->parsed = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  RM_ASSERT(desk_->parsed.is_open());
  poll_ = make_handle<uv_poll_t>(loop, this, uv_poll_init, desk_->parsed.get());
  const auto on_readable = [](uv_poll_t* poll, int /*status*/, int /*events*/) {
    static_cast<LongMessages*>(poll->data)->on_parsed();
  };
  RM_ASSERT(uv_poll_start(poll_.get(), UV_READABLE, on_readable) == 0);
  sigset_t all, before;  // signals are for the loop's thread; a new thread inherits its mask
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread([desk = desk_] { run(*desk); }).detach();
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

LongMessages::~LongMessages() {
  // The thread may be the one that frees the order. The callbacks may hold objects of the loop, so
  // they are dropped here, in the loop's thread.
  if (desk_->work) {
    desk_->work->order.is_wanted = nullptr;
    desk_->work->order.on_parsed = nullptr;
  }
  desk_->is_ending = true;
  desk_->orders.release();
}

void LongMessages::parse(Order order) {
  const std::string client = order.client;
  waiting_.push(client, std::move(order));
  if (!desk_->work) start(waiting_.pop());
}

void LongMessages::forget(const void* owner) {
  if (desk_->work && desk_->work->order.owner == owner) desk_->work->order.on_parsed = nullptr;
  if (parsed_ != nullptr && parsed_->owner == owner) parsed_->on_parsed = nullptr;
  waiting_.erase_if([owner](const Order& order) { return order.owner == owner; });
}

void LongMessages::start(Order order) {
  desk_->work = Work{std::move(order), {}};
  desk_->orders.release();
}

void LongMessages::run(Desk& desk) {
  lower_priority();
  while (desk.orders.acquire(), !desk.is_ending) {
    const Order& order = desk.work->order;
    desk.work->message = rpc::parse(order.text, order.batch_items, *order.wanted);
    const uint64_t one = 1;
    RM_ASSERT(::write(desk.parsed.get(), &one, sizeof(one)) == sizeof(one));
  }
}

void LongMessages::on_parsed() {
  uint64_t count = 0;
  if (::read(desk_->parsed.get(), &count, sizeof(count)) != sizeof(count)) return;
  Work work = std::move(*desk_->work);
  desk_->work.reset();
  parsed_ = &work.order;
  start_next();  // the next one is parsed while this one is served
  parsed_ = nullptr;
  if (work.order.on_parsed) work.order.on_parsed(std::move(work.message));
}

void LongMessages::start_next() {
  while (!waiting_.is_empty()) {
    Order order = waiting_.pop();
    if (order.is_wanted()) return start(std::move(order));
  }
}

}  // namespace ringmaster::master
