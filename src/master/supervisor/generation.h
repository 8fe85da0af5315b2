// Generation: one fork server with its workers, and the memory that they share with the master.
//
// Processes: the master only.
// Death:     if the fork server dies, on_gone is called once; its workers have died with it
//            (PR_SET_PDEATHSIG). If this object is destroyed, the fork server is killed if it still
//            lives, and the loop reaps it. In both cases the processes that handlers have started
//            while they were loaded are killed, too, unless they have left the fork server's group.
// Memory:    control and result memory are the generation's own; payload memory belongs to the
//            deployment.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/uv_handle.h"
#include "ipc/confinement.h"
#include "ipc/control.h"
#include "ipc/handler_spec.h"
#include "ipc/master_port.h"
#include "ipc/method_spec.h"
#include "master/supervisor/orders.h"
#include "master/supervisor/outputs.h"

namespace ringmaster::master {

class Generation {
 public:
  struct Events {
    std::function<void(const ipc::ControlMessage&)> on_message;
    // The memory for the worker's results, or the socket for its output, could not be created. So
    // no order to fork was sent.
    std::function<void(uint32_t worker, const Error&)> on_fork_failed;
    // A worker has rung the master's bell: it may have become ready. (Results need no callback: the
    // loop takes them before each wait.)
    std::function<void()> on_bell;
    // The fork server is gone; `how` is for people: "exit 78", "SIGKILL". May destroy the
    // generation.
    std::function<void(const std::string& how)> on_gone;
  };

  // Starts the fork server and tells it what to load. `outputs` gets what the generation's
  // processes print.
  [[nodiscard]] static Result<std::unique_ptr<Generation>> start(
      uv_loop_t* loop, uint32_t number, const ipc::Geometry& geometry, int payload_memory_fd,
      const std::vector<ipc::HandlerSpec>& handlers, const std::vector<ipc::MethodSpec>& methods,
      const ipc::Confinement& confinement, Outputs& outputs, Events events);
  ~Generation();

  // Orders to the fork server. An order waits while the control channel is full.
  // load() comes first: kLoaded or kFailed will follow.
  void load(bool is_low_priority) {
    order({ipc::ControlType::kLoad, 0, 0, is_low_priority ? 1 : 0, {}});
  }
  void fork_worker(uint32_t slot, bool is_idle) {
    order({ipc::ControlType::kFork, slot, 0, is_idle ? 1 : 0, {}});
  }
  void signal_worker(uint32_t slot, int32_t pid, int signal) {
    order({ipc::ControlType::kKill, slot, pid, signal, {}});
  }
  void name_functions(const std::vector<uint64_t>& addresses) {
    order({ipc::ControlType::kName,
           0,
           0,
           0,
           {reinterpret_cast<const char*>(addresses.data()),
            addresses.size() * sizeof addresses[0]}});
  }
  // False: orders wait, so nothing was asked.
  [[nodiscard]] bool try_ask_stack(uint32_t slot, int32_t pid);
  void ping_fork_server() { order({ipc::ControlType::kPing, 0, 0, 0, {}}); }
  // Closes the control channel: the fork server lets its workers finish the jobs in hand, and ends
  // when they have.
  void stop();
  // All threads of the fork server and of its descendants leave idle priority, and run at nice 10
  // (worker/low_priority.h). Limit: 64 processes; the others stay. Call it again while the load
  // lasts, since processes may start meanwhile. Cost: it reads /proc for each thread.
  void end_idle_priority();
  // The fork server's process group gets the master's nice value. Other descendants keep theirs.
  void raise_priority();
  // Kills all processes of the generation. Further messages of the fork server are ignored.
  void kill();

  ipc::MasterPort& port() { return port_; }
  uint32_t number() const { return number_; }
  int fork_server_pid() const { return process_ ? process_->pid : 0; }

 private:
  Generation(uv_loop_t* loop, uint32_t number, ipc::MasterPort port, Outputs& outputs,
             Events events);
  Status spawn(int payload_memory_fd);
  bool is_running() const;
  void watch();
  void poll_channel(int events);
  void poll_bell();
  void on_readable();
  void order(ipc::ControlMessage message);
  void send_orders();
  Result<bool> try_send(const ipc::ControlMessage& order);
  Result<bool> try_send_fork(const ipc::ControlMessage& order);

  uv_loop_t* loop_;
  uint32_t number_;
  ipc::MasterPort port_;
  Outputs& outputs_;
  Events events_;
  std::unique_ptr<ipc::ControlChannel> channel_;
  Orders orders_;  // not sent yet
  UvHandle<uv_process_t> process_;
  UvHandle<uv_poll_t> channel_poll_;
  UvHandle<uv_poll_t> bell_poll_;
};

}  // namespace ringmaster::master
