#include "master/supervisor/generation.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <sched.h>
#include <sys/resource.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "base/exit_status.h"
#include "base/log.h"

namespace ringmaster::master {
namespace {

namespace fs = std::filesystem;

// Of a load with more processes, the others stay at idle priority.
constexpr size_t kProcessesMax = 64;

// Does nothing if the thread is gone, and its id belongs to one of another policy.
void end_idle_priority_of(pid_t thread) {
  constexpr sched_param kNotRealTime{};
  if (::sched_getscheduler(thread) == SCHED_IDLE)
    ::sched_setscheduler(thread, SCHED_OTHER, &kNotRealTime);  // may be refused
}

}  // namespace

Generation::Generation(uv_loop_t* loop, uint32_t number, ipc::MasterPort port, Outputs& outputs,
                       Events events)
    : loop_(loop),
      number_(number),
      port_(std::move(port)),
      outputs_(outputs),
      events_(std::move(events)) {}

Generation::~Generation() {
  if (!is_running()) return;
  kill();
  process_.release()->data =
      nullptr;  // stays with the loop, which reaps the fork server: see spawn()
}

Result<std::unique_ptr<Generation>> Generation::start(
    uv_loop_t* loop, uint32_t number, const ipc::Geometry& geometry, int payload_memory_fd,
    const std::vector<ipc::HandlerSpec>& handlers, const std::vector<ipc::MethodSpec>& methods,
    const ipc::Confinement& confinement, Outputs& outputs, Events events) {
  Result<ipc::MasterPort> port = ipc::MasterPort::create(geometry);
  if (!port) return tl::unexpected(port.error());
  std::unique_ptr<Generation> generation(
      new Generation(loop, number, std::move(*port), outputs, std::move(events)));
  if (Status spawned = generation->spawn(payload_memory_fd); !spawned) {
    return tl::unexpected(spawned.error());
  }
  generation->watch();
  generation->order({ipc::ControlType::kGeometry, 0, 0, 0, ipc::encode(geometry)});
  generation->order({ipc::ControlType::kConfinement, 0, 0, 0, ipc::encode(confinement)});
  std::vector<ipc::ControlMessage> specs;
  for (const ipc::HandlerSpec& handler : handlers)
    specs.push_back({ipc::ControlType::kHandler, 0, 0, 0, ipc::encode(handler)});
  for (const ipc::MethodSpec& method : methods)
    specs.push_back({ipc::ControlType::kMethod, 0, 0, 0, ipc::encode(method)});
  for (ipc::ControlMessage& spec : specs) {
    if (Status fits = ipc::check_size(spec); !fits) return tl::unexpected(fits.error());
    generation->order(std::move(spec));
  }
  return generation;
}

Status Generation::spawn(int payload_memory_fd) {
  auto ends = ipc::ControlChannel::create_pair();
  if (!ends) return tl::unexpected(ends.error());
  channel_ = std::make_unique<ipc::ControlChannel>(std::move(ends->first));
  const Result<Fd> output = outputs_.open(outputs_.fork_server());
  if (!output) return tl::unexpected(output.error());

  // The fork server's descriptors by number: see ipc/control.h.
  const int inherited[] = {
      outputs_.input(),          output->get(),     output->get(),   ends->second.get(),
      port_.control_memory_fd(), payload_memory_fd, port_.event_fd()};
  uv_stdio_container_t stdio[std::size(inherited)];
  for (size_t i = 0; i < std::size(inherited); ++i) {
    stdio[i].flags = inherited[i] < 0 ? UV_IGNORE : UV_INHERIT_FD;
    stdio[i].data.fd = inherited[i];
  }
  std::string arguments[] = {"ringmaster", "fork-server", std::to_string(number_),
                             std::to_string(::getpid())};
  char* argv[] = {arguments[0].data(), arguments[1].data(), arguments[2].data(),
                  arguments[3].data(), nullptr};
  uv_process_options_t options{};
  options.file = "/proc/self/exe";
  options.args = argv;
  options.stdio = stdio;
  options.stdio_count = std::size(stdio);
  // A process group of its own: Ctrl-C signals the master only, which ends the others, and a kill
  // reaches the processes that handlers have started.
  options.flags = UV_PROCESS_DETACHED;
  options.exit_cb = [](uv_process_t* process, int64_t exit_code, int signal) {
    ::kill(-process->pid, SIGKILL);  // processes that handlers started while they loaded
    auto* self = static_cast<Generation*>(process->data);
    if (self == nullptr) return CloseHandle()(process);
    const auto on_gone = std::move(self->events_.on_gone);
    on_gone(describe_exit(exit_code, signal));
  };
  auto process = std::make_unique<uv_process_t>();
  process->data = this;
  const int error = uv_spawn(loop_, process.get(), &options);
  process_.reset(process.release());  // libuv knows the handle even if the spawn failed
  if (error != 0) return fail_errno("start the fork server", -error);
  return {};
}

void Generation::watch() {
  ::fcntl(channel_->fd(), F_SETFL, O_NONBLOCK);
  channel_poll_ = make_handle<uv_poll_t>(loop_, this, uv_poll_init, channel_->fd());
  poll_channel(UV_READABLE);
  bell_poll_ = make_handle<uv_poll_t>(loop_, this, uv_poll_init, port_.event_fd());
  poll_bell();
}

void Generation::poll_bell() {
  uv_poll_start(bell_poll_.get(), UV_READABLE, [](uv_poll_t* poll, int status, int) {
    auto* self = static_cast<Generation*>(poll->data);
    self->port_.take_rings();
    if (status < 0) self->poll_bell();  // the eventfd's counter is full: libuv has ended the poll
    self->events_.on_bell();
  });
}

void Generation::poll_channel(int events) {
  uv_poll_start(channel_poll_.get(), events, [](uv_poll_t* poll, int, int ready) {
    auto* self = static_cast<Generation*>(poll->data);
    if ((ready & UV_WRITABLE) != 0) self->send_orders();
    if (self->channel_poll_) self->on_readable();
  });
}

void Generation::on_readable() {
  for (;;) {
    ipc::ControlMessage message;
    const Result<ipc::ControlChannel::Received> received = channel_->receive(message);
    if (received && *received == ipc::ControlChannel::Received::kNothingYet) return;
    if (!received || *received == ipc::ControlChannel::Received::kEnd) {
      // Kill it if it still runs; exit_cb reports the exit.
      return kill();
    }
    events_.on_message(message);
    if (!channel_poll_) return;
  }
}

void Generation::order(ipc::ControlMessage message) {
  if (!channel_poll_) return;  // the fork server was told to stop, or killed
  orders_.add(std::move(message));
  send_orders();
}

bool Generation::try_ask_stack(uint32_t slot, int32_t pid) {
  if (!channel_poll_ || !orders_.is_empty()) return false;
  // An error is ignored: the next order fails, too.
  return channel_->try_send({ipc::ControlType::kAskStack, slot, pid, 0, {}}).value_or(false);
}

Result<bool> Generation::try_send(const ipc::ControlMessage& order) {
  return order.type == ipc::ControlType::kFork ? try_send_fork(order) : channel_->try_send(order);
}

// An order to fork carries the memory for the worker's results, and the socket for its output. They
// are created only now, so orders that wait hold no descriptors. If one cannot be created, only
// this order is dropped: a worker is forked into the slot later.
Result<bool> Generation::try_send_fork(const ipc::ControlMessage& order) {
  Result<Fd> results = port_.renew_results(order.worker);
  Result<Fd> output = results ? outputs_.open(order.worker) : tl::unexpected(results.error());
  if (!output) {
    if (results) results->reset();
    port_.keep_spares();
    events_.on_fork_failed(order.worker, output.error());
    return true;
  }
  const int fds[] = {results->get(), output->get()};
  Result<bool> sent = channel_->try_send(order, fds);
  results->reset();
  output->reset();
  port_.keep_spares();
  return sent;
}

void Generation::send_orders() {
  while (!orders_.is_empty()) {
    const Result<bool> sent = try_send(orders_.front());
    if (!sent) {
      // The fork server is gone, or is killed now; exit_cb reports its exit.
      log(Level::kError, "control_channel", {{"gen", number_}, {"error", sent.error().message}});
      return kill();
    }
    if (!*sent) return poll_channel(UV_READABLE | UV_WRITABLE);
    orders_.pop();
  }
  poll_channel(UV_READABLE);
}

void Generation::stop() {
  channel_poll_.reset();
  channel_.reset();
}

// Each thread has a policy of its own.
void Generation::end_idle_priority() {
  std::vector<pid_t> processes{process_->pid};
  end_idle_priority_of(process_->pid);
  for (size_t i = 0; i < processes.size(); ++i) {
    std::error_code error;
    fs::directory_iterator task(fmt::format("/proc/{}/task", processes[i]), error);
    for (; !error && task != fs::directory_iterator(); task.increment(error)) {
      end_idle_priority_of(std::atoi(task->path().filename().c_str()));
      std::ifstream children(task->path() / "children");
      for (pid_t child = 0; children >> child && processes.size() < kProcessesMax;)
        processes.push_back(child);
    }
  }
}

void Generation::raise_priority() {
  const auto group = static_cast<id_t>(process_->pid);
  ::setpriority(PRIO_PGRP, group, ::getpriority(PRIO_PROCESS, 0));  // may be refused
}

void Generation::kill() {
  channel_poll_.reset();
  if (is_running()) ::kill(-process_->pid, SIGKILL);
}

bool Generation::is_running() const {
  return process_ && uv_is_active(reinterpret_cast<const uv_handle_t*>(process_.get()));
}

}  // namespace ringmaster::master
