// Rollout: all deployments: the one that serves, the next one while it starts, and former ones
// while they finish the requests that they admitted.
//
// The next one takes over only when all its workers are up. If it fails before, the serving one is
// not affected.
// Processes: the master only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/status.h"
#include "master/deployment/deployment.h"
#include "rpc/errors.h"

namespace ringmaster::master {

class Rollout {
 public:
  struct Events {
    // The next deployment is ready. If this returns success, the next one serves and the former one
    // retires. If it returns a failure, the next one is given up.
    std::function<Status(Deployment& next)> on_ready;
    std::function<void(const Error&)> on_failed;  // why the next one was given up
  };

  Rollout(uv_loop_t* loop, telemetry::Recorder& recorder, Events events)
      : loop_(loop), recorder_(recorder), events_(std::move(events)) {}

  // At most this many former deployments finish their requests at once, after the next one has
  // taken over. Each holds memory, descriptors and workers.
  static constexpr size_t kFormerMax = 2;

  // Whether the next deployment may start now: none is starting, and kFormerMax leaves room for the
  // one that serves.
  bool can_begin() const { return next_ == nullptr && former() < kFormerMax; }
  // Starts the next deployment. REQUIRES: can_begin().
  [[nodiscard]] Status begin(Options options);
  bool is_under_way() const { return next_ != nullptr; }

  // The deployment that serves; null before the first one is ready.
  Deployment* serving() { return serving_; }
  const Deployment* serving() const { return serving_; }
  // The one that starts; null: none.
  const Deployment* next() const { return next_; }
  // Oldest first.
  const std::vector<std::unique_ptr<Deployment>>& deployments() const { return deployments_; }
  // The requests of clients in flight. The jobs of a rehearsal do not count.
  size_t in_flight() const;
  // The pid of the fork server that loads the handlers of the next deployment; 0: none does. A
  // serving deployment that loads again, since its fork server died, does not count.
  int loading_pid() const { return next_ != nullptr ? next_->supervisor().loading_pid() : 0; }

  // Call in each turn of the loop.
  void rehearse() {
    if (next_ != nullptr) next_->rehearse();
  }
  // Stops the next deployment: it will not take over.
  void give_up();
  void stop_all();
  void cut_off_all(const rpc::Error& error);

  // What the run stages of all deployments do around the event loop's wait.
  LoopWaits& loop_waits() { return loop_waits_; }
  // Destroys deployments that are over. Call in each turn of the loop.
  void destroy_ended();
  bool is_over() const { return deployments_.empty(); }

 private:
  size_t former() const {
    return deployments_.size() - (serving_ != nullptr ? 1 : 0) - (next_ != nullptr ? 1 : 0);
  }
  void on_ready();
  void on_failed(const Error& error);

  uv_loop_t* loop_;
  telemetry::Recorder& recorder_;
  Events events_;
  uint32_t generations_ = 0;
  LoopWaits loop_waits_;
  std::vector<std::unique_ptr<Deployment>> deployments_;  // oldest first
  Deployment* serving_ = nullptr;
  Deployment* next_ = nullptr;
};

}  // namespace ringmaster::master
