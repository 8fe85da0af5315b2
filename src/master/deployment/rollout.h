// Rollout: the deployments that there are: the one that serves, the next one while it gets ready,
// and those before, while they finish what they have admitted.
//
// The next one takes over only when all its workers are up; if it fails on the way, the one that
// serves has noticed nothing.
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
    // The next deployment is ready. From the return on it is the one that serves, and the one
    // before retires; a failure gives it up.
    std::function<Status(Deployment& next)> on_ready;
    std::function<void(const Error&)> on_failed;  // there will be no next one: why
  };

  Rollout(uv_loop_t* loop, Events events) : loop_(loop), events_(std::move(events)) {}

  // Starts the next deployment. Only while there is none on its way.
  [[nodiscard]] Status begin(Options options);
  bool is_under_way() const { return next_ != nullptr; }

  // The one that serves; null before the first one is ready.
  Deployment* serving() { return serving_; }
  size_t in_flight() const;
  // A fork server while it loads handlers; 0: none does.
  int loading_pid() const;

  // The next one will not take over.
  void give_up();
  void stop_all();
  void cut_off_all(const rpc::Error& error);

  // Around the event loop's wait: see Supervisor. Those that are over are destroyed here.
  void before_wait();
  bool try_begin_wait();
  void end_wait();
  bool is_over() const { return deployments_.empty(); }

 private:
  void on_ready();
  void on_failed(const Error& error);

  uv_loop_t* loop_;
  Events events_;
  uint32_t generations_ = 0;
  std::vector<std::unique_ptr<Deployment>> deployments_;  // oldest first
  Deployment* serving_ = nullptr;
  Deployment* next_ = nullptr;
};

}  // namespace ringmaster::master
