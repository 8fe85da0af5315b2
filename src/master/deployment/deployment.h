// Deployment: one configuration at work: its payload memory, its requests in flight, its workers.
//
// A reload makes a second deployment. Each has all that its configuration names, so the deployment
// that admitted a request runs all of its steps, and a reload moves no request. Listeners and
// sessions belong to the frontend and outlive all deployments.
//
//   STARTING --on_ready--> SERVING --retire(), once no job is left--> STOPPING --> OVER
//      '----- on_failed, stop() -------------------------------------------^------------^
//
// While it starts, it may rehearse: see rehearsal/rehearsal.h.
//
// Processes: the master only.
// Memory:    owns its payload, control and result memory.
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
#include "base/telemetry/recorder.h"
#include "config/options.h"
#include "ipc/payload_store.h"
#include "master/pipeline/dispatcher.h"
#include "master/pipeline/loop_wait.h"
#include "master/rehearsal/rehearsal.h"
#include "master/supervisor/crash_recorder.h"
#include "master/supervisor/supervisor.h"
#include "rpc/json_rpc.h"

namespace ringmaster::master {

class Deployment {
 public:
  // The number of workers; "auto" is the number of CPUs.
  static size_t worker_count(const Options& options);

  struct Events {
    std::function<void()> on_ready;        // all workers are up, for the first time
    std::function<void(Error)> on_failed;  // the start failed; the deployment is over, or stops
  };

  // Starts the first fork server: on_ready or on_failed follows, unless stop() is called.
  // `generations` counts the generations of all deployments. `before`: the deployment that serves,
  // whose recent jobs are rehearsed; null: none.
  [[nodiscard]] static Result<std::unique_ptr<Deployment>> start(
      uv_loop_t* loop, LoopWaits& waits, Options options, const Deployment* before,
      uint32_t& generations, telemetry::Recorder& recorder, Events events);

  const Options& options() const { return options_; }
  // Null: there is no such method.
  const Method* find_method(const std::string& name) const;
  // What the methods' fetches need of their params: see Dispatcher::admit().
  const std::shared_ptr<const rpc::Wanted>& wanted() const { return wanted_; }
  // The method name nearest to an unknown `name`; empty: none is near.
  std::string_view nearest_method(std::string_view name) const;
  // The addresses for openrpc(), as clients write them.
  void announce(std::vector<std::string> addresses);
  // The answer to rpc.discover: one JSON value in one line, see openrpc.h.
  const std::string& openrpc() const { return openrpc_; }
  // The share of `client`, a client's name as in ClientTable. See [fair].
  std::shared_ptr<ClientShare> share_of(const std::string& client);
  Dispatcher& dispatcher() { return *dispatcher_; }
  const Dispatcher& dispatcher() const { return *dispatcher_; }
  const ipc::PayloadStore& store() const { return *store_; }
  Supervisor& supervisor() { return *supervisor_; }
  const Supervisor& supervisor() const { return *supervisor_; }

  // The tail profile: see pipeline/profile_view.h. Empty: the fork server has not yet named all
  // of the profile's functions. `is_late`: returns it without the missing names.
  enum class ProfileForm : uint8_t { kJson, kText, kFolded };
  std::optional<std::string> profile(ProfileForm form, bool is_late);

  // Call in each turn of the event loop until it is ready.
  void rehearse();
  // Gives the methods of this deployment the costs that `before` has measured for methods of the
  // same names: so a reload under load refuses neither too much nor too little. Also their recent
  // jobs, where they have the same steps: so the next reload is rehearsed, however soon it comes.
  // Upstreams whose options are the same keep their cached answers.
  void adopt(const Deployment& before);
  // Ends its workers once the last job in flight has ended. REQUIRES: no more jobs are admitted.
  void retire();
  // Lets the workers finish the jobs in hand, then ends them.
  void stop();
  bool is_over() const { return is_over_; }
  // Logs the end of a deployment that has served, and the payload memory still in use: none, unless
  // requests were cut off.
  void log_end() const;

 private:
  explicit Deployment(Options options);
  Status set_up(uv_loop_t* loop, LoopWaits& waits, bool is_reload, uint32_t& generations,
                telemetry::Recorder& recorder, Events events);
  void choose_rehearsed(const Deployment& before);
  // The method of this deployment with the same name and steps; null: there is none.
  const Method* counterpart(const Method& method) const;
  void on_workers_up(uv_loop_t* loop);

  const Options options_;
  std::unordered_map<std::string, const Method*> methods_;
  std::vector<std::string_view> method_names_;
  std::shared_ptr<const rpc::Wanted> wanted_;
  std::vector<std::string> descriptions_;  // of the handlers, as the newest generation has them
  std::vector<std::string> addresses_;
  std::string openrpc_;
  std::unique_ptr<ipc::PayloadStore> store_;
  std::unique_ptr<CrashRecorder> crash_recorder_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::unique_ptr<LoopWait> loop_wait_;
  std::unique_ptr<Supervisor> supervisor_;
  Events events_;
  std::vector<Rehearsal::Part> rehearsed_;  // until the rehearsal begins
  std::unique_ptr<Rehearsal> rehearsal_;    // while there is one
  bool is_retiring_ = false;
  bool is_stopping_ = false;
  bool is_over_ = false;
};

}  // namespace ringmaster::master
