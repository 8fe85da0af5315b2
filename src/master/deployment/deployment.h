// Deployment: one configuration at work: its payload memory, its requests in flight, its workers.
//
// A reload makes a second one beside it. Each has everything that its configuration speaks of, so a
// request runs from its first step to its last with the one that admitted it, and nothing has to be
// carried over. What clients see (listeners, sessions) is the front's, and outlives them all.
//
//   STARTING --on_ready--> SERVING --retire(), once no job is left--> STOPPING --> OVER
//      '----- on_failed, stop() -------------------------------------------^------------^
//
// Processes: the master only.
// Memory:    payload, control and result memory are its own; they go with it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "config/options.h"
#include "ipc/payload_store.h"
#include "master/pipeline/dispatcher.h"
#include "master/supervisor/crash_recorder.h"
#include "master/supervisor/supervisor.h"

namespace ringmaster::master {

class Deployment {
 public:
  struct Events {
    std::function<void()> on_ready;        // all workers are up, for the first time
    std::function<void(Error)> on_failed;  // it could not be started, and is over
  };

  // Sets everything up and starts the first fork server: on_ready or on_failed follows, unless
  // stop(). `generations` counts the generations of all deployments.
  [[nodiscard]] static Result<std::unique_ptr<Deployment>> start(uv_loop_t* loop, Options options,
                                                                 uint32_t& generations,
                                                                 Events events);

  const Options& options() const { return options_; }
  // Null: there is none of this name.
  const Method* find_method(const std::string& name) const;
  // The known name that is nearest to one that is not; empty: none is near.
  std::string_view nearest_method(std::string_view name) const;
  // Where clients reach it, as they would write it: for openrpc().
  void announce(std::vector<std::string> addresses);
  // The answer to rpc.discover: one JSON value in one line, see openrpc.h.
  const std::string& openrpc() const { return openrpc_; }
  Dispatcher& dispatcher() { return *dispatcher_; }
  Supervisor& supervisor() { return *supervisor_; }
  const Supervisor& supervisor() const { return *supervisor_; }

  // Ends its workers once the last job in flight has ended. No more may be admitted.
  void retire();
  // Lets the workers finish what they have in hand, then ends them.
  void stop();
  bool is_over() const { return is_over_; }
  // Of one that has served: that it is over, and what it still holds, which must be nothing unless
  // requests were cut off.
  void log_end() const;

 private:
  explicit Deployment(Options options);
  Status set_up(uv_loop_t* loop, uint32_t& generations, Events events);

  const Options options_;
  std::unordered_map<std::string, const Method*> methods_;
  std::vector<std::string_view> method_names_;
  std::vector<std::string> descriptions_;  // of the handlers, as the newest generation has them
  std::vector<std::string> addresses_;
  std::string openrpc_;
  std::unique_ptr<ipc::PayloadStore> store_;
  std::unique_ptr<CrashRecorder> crash_recorder_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::unique_ptr<Supervisor> supervisor_;
  bool is_retiring_ = false;
  bool is_stopping_ = false;
  bool is_over_ = false;
};

}  // namespace ringmaster::master
