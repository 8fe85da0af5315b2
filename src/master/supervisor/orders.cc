#include "master/supervisor/orders.h"

#include <algorithm>
#include <csignal>
#include <utility>

namespace ringmaster::master {
namespace {

using ipc::ControlMessage;
using ipc::ControlType;

bool is_of_worker(const ControlMessage& order) {
  return order.type == ControlType::kFork || order.type == ControlType::kKill;
}

// After SIGKILL any later signal to the same worker is pointless.
bool is_pointless_after(const ControlMessage& later, const ControlMessage& earlier) {
  return later.type == ControlType::kKill && earlier.type == ControlType::kKill &&
         earlier.status == SIGKILL && later.pid == earlier.pid;
}

}  // namespace

void Orders::add(ControlMessage order) {
  const auto earlier = std::find_if(waiting_.begin(), waiting_.end(), [&](const auto& one) {
    return is_of_worker(one) && is_of_worker(order) && one.worker == order.worker;
  });
  if (earlier == waiting_.end()) {
    waiting_.push_back(std::move(order));
  } else if (!is_pointless_after(order, *earlier)) {
    *earlier = std::move(order);
  }
}

}  // namespace ringmaster::master
