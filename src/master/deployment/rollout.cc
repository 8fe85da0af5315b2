#include "master/deployment/rollout.h"

#include <algorithm>
#include <malloc.h>
#include <utility>

#include "base/assert.h"

namespace ringmaster::master {

Status Rollout::begin(Options options) {
  RM_ASSERT(can_begin());
  Result<std::unique_ptr<Deployment>> started =
      Deployment::start(loop_, loop_waits_, std::move(options), serving_, generations_, recorder_,
                        {[this] { on_ready(); }, [this](const Error& error) { on_failed(error); }});
  if (!started) return tl::unexpected(started.error());
  deployments_.push_back(std::move(*started));
  next_ = deployments_.back().get();
  return {};
}

void Rollout::on_ready() {
  if (next_ == nullptr) return;  // give_up() was called meanwhile
  Deployment* next = std::exchange(next_, nullptr);
  if (serving_ != nullptr) next->adopt(*serving_);
  if (Status accepted = events_.on_ready(*next); !accepted) {
    next->stop();
    return events_.on_failed(accepted.error());
  }
  if (Deployment* before = std::exchange(serving_, next)) before->retire();
}

void Rollout::on_failed(const Error& error) {
  if (std::exchange(next_, nullptr) != nullptr) events_.on_failed(error);
}

size_t Rollout::in_flight() const {
  size_t sum = 0;
  for (const auto& deployment : deployments_)
    if (deployment.get() != next_) sum += deployment->dispatcher().in_flight();
  return sum;
}

void Rollout::give_up() {
  if (Deployment* next = std::exchange(next_, nullptr)) next->stop();
}

void Rollout::stop_all() {
  next_ = nullptr;
  for (const auto& deployment : deployments_)
    deployment->stop();
}

void Rollout::cut_off_all(const rpc::Error& error) {
  give_up();
  for (const auto& deployment : deployments_)
    deployment->dispatcher().cut_off_all(error);
}

void Rollout::destroy_ended() {
  const size_t ended = std::erase_if(deployments_, [this](const auto& deployment) {
    if (!deployment->is_over()) return false;
    deployment->log_end();
    if (serving_ == deployment.get()) serving_ = nullptr;
    return true;
  });
  // A deployment's tables are megabytes, which the allocator would keep.
  if (ended > 0) ::malloc_trim(0);
}

}  // namespace ringmaster::master
