#include "worker/forkserver.h"

#include <algorithm>
#include <bsd/unistd.h>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/clock.h"
#include "base/fd.h"
#include "ipc/control.h"
#include "worker/become_worker.h"
#include "worker/canary.h"
#include "worker/child.h"
#include "worker/handler.h"
#include "worker/handler_loader.h"
#include "worker/low_priority.h"
#include "worker/sandbox.h"

namespace ringmaster::worker {
namespace {

using ipc::ControlMessage;
using ipc::ControlType;

static_assert(RINGMASTER_DESCRIPTION_BYTES_MAX <= ipc::kControlTextBytesMax);

// How often the fork server looks whether a worker has written its stack.
constexpr int kStackWaitMs = 5;

// The spare is forked when no order has come for this long: not while workers start.
constexpr int kQuietMs = 20;

class ForkServer {
 public:
  ForkServer(std::string generation, ipc::ControlChannel channel, Fd child_exits)
      : channel_(std::move(channel)), child_exits_(std::move(child_exits)) {
    loaded_.generation = std::move(generation);
  }

  // Runs until the master has closed the channel.
  Status run();

 private:
  void tell(const ControlMessage& message);
  bool is_worker(uint32_t slot, pid_t pid) const;
  Status obey(ControlMessage& message);
  // Returns the sandbox's steps that this system refuses, as text.
  Result<std::string> load(bool is_low_priority);
  int wait_ms() const;
  void fork_worker(ControlMessage& order);
  // Returns the pid; negative: fork(2) has failed.
  pid_t start_worker(ControlMessage& order);
  pid_t try_order_spare(const ControlMessage& order);
  void fork_spare();
  Status become_inline(ControlMessage& order);
  std::string names_of(std::string_view addresses);
  void ask_stack(uint32_t slot, pid_t pid);
  void tell_stacks();
  void reap();
  void end_workers();

  ipc::ControlChannel channel_;
  Fd child_exits_;
  std::vector<ipc::HandlerSpec> specs_;
  Loaded loaded_;
  std::map<pid_t, uint32_t> slots_;  // of the live workers
  // A process that is forked and confined, and waits for its order to be a worker.
  struct Spare {
    pid_t pid;
    ipc::ControlChannel channel;
  };
  std::optional<Spare> spare_;
  bool is_spare_due_ = false;  // a worker was started since the last spare was forked
  struct Asked {
    uint32_t slot;
    pid_t pid;
    uint64_t until_ns;
  };
  std::vector<Asked> asked_;   // workers that were asked for their stacks
  bool is_dismissed_ = false;  // the master has closed the channel
};

Status ForkServer::run() {
  pollfd polled[] = {{channel_.fd(), POLLIN, 0}, {child_exits_.get(), POLLIN, 0}};
  while (!is_dismissed_) {
    const int ready = ::poll(polled, 2, wait_ms());
    if (ready < 0 && errno != EINTR) return fail_errno("poll", errno);
    if (ready == 0 && is_spare_due_) fork_spare();
    if (polled[1].revents != 0) reap();
    tell_stacks();
    if (polled[0].revents == 0) continue;
    ControlMessage message;
    Result<ipc::ControlChannel::Received> received = channel_.receive(message);
    if (!received) return tl::unexpected(received.error());
    if (*received == ipc::ControlChannel::Received::kEnd) break;
    if (Status obeyed = obey(message); !obeyed) return obeyed;
  }
  end_workers();
  return {};
}

int ForkServer::wait_ms() const {
  if (!asked_.empty()) return kStackWaitMs;
  return is_spare_due_ ? kQuietMs : -1;
}

void ForkServer::tell(const ControlMessage& message) {
  if (!channel_.send(message)) is_dismissed_ = true;
}

Status ForkServer::obey(ControlMessage& message) {
  switch (message.type) {
    case ControlType::kGeometry: {
      Result<ipc::Geometry> geometry = ipc::decode_geometry(message.text);
      if (!geometry) return tl::unexpected(geometry.error());
      loaded_.geometry = *geometry;
      return loaded_.reports.create(loaded_.geometry.worker_slots);
    }
    case ControlType::kConfinement: {
      Result<ipc::Confinement> confinement = ipc::decode_confinement(message.text);
      if (!confinement) return tl::unexpected(confinement.error());
      loaded_.confinement = *confinement;
      return {};
    }
    case ControlType::kHandler: {
      Result<ipc::HandlerSpec> spec = ipc::decode_handler(message.text);
      if (!spec) return tl::unexpected(spec.error());
      specs_.push_back(std::move(*spec));
      return {};
    }
    case ControlType::kMethod: {
      Result<ipc::MethodSpec> method = ipc::decode_method(message.text);
      if (!method) return tl::unexpected(method.error());
      loaded_.methods.push_back(std::move(*method));
      return {};
    }
    case ControlType::kLoad: {
      if (const Result<std::string> loaded = load(message.status == 1); !loaded) {
        tell({ControlType::kFailed, 0, 0, static_cast<int>(loaded.error().exit_code),
              loaded.error().message});
      } else {
        for (const Handler& handler : loaded_.handlers)
          tell({ControlType::kDescription, 0, 0, 0, handler.description().text()});
        tell({ControlType::kLoaded, 0, 0, 0, *loaded});
      }
      return {};
    }
    case ControlType::kFork:
      if (loaded_.confinement.is_inline != 0) return become_inline(message);
      fork_worker(message);
      return {};
    case ControlType::kKill:
      if (is_worker(message.worker, message.pid)) ::kill(message.pid, message.status);
      return {};
    case ControlType::kAskStack:
      ask_stack(message.worker, message.pid);
      return {};
    case ControlType::kPing:
      tell({ControlType::kPong, 0, 0, 0, {}});
      return {};
    case ControlType::kName:
      tell({ControlType::kNamed, 0, 0, 0, names_of(message.text)});
      return {};
    default:
      return fail(ExitCode::kInternal, "a control message that is not for a fork server");
  }
}

Result<std::string> ForkServer::load(bool is_low_priority) {
  const bool forks = loaded_.confinement.is_inline == 0;
  std::optional<LowPriority> low_priority;
  if (forks && is_low_priority) low_priority.emplace();
  if (forks && loaded_.confinement.sandbox != ipc::Sandbox::kOff) prepare_sandbox();
  Result<std::string> lacks = forks ? try_confine(loaded_.confinement) : "";
  if (!lacks) return lacks;
  const HandlerLoader loader;
  for (const ipc::HandlerSpec& spec : specs_) {
    Result<Handler> handler = loader.load(spec);
    if (!handler) return tl::unexpected(handler.error());
    loaded_.hooks.add(handler->library(), handler->functions());
    loaded_.handlers.push_back(std::move(*handler));
    Status tried =
        forks ? try_out(loaded_.handlers.back(), loaded_.confinement, loaded_.hooks) : Status();
    if (Status alone = loader.refuse_processes(spec.name, "self_test()"); tried) tried = alone;
    if (!tried) return tl::unexpected(tried.error());
  }
  return lacks;
}

void ForkServer::fork_worker(ControlMessage& order) {
  const uint32_t slot = order.worker;
  if (!order.memory.is_open() || !order.output.is_open()) {
    return tell({ControlType::kForkFailed, slot, 0, EMFILE, {}});
  }
  loaded_.reports.clear(slot);
  is_spare_due_ = loaded_.confinement.keeps_spare != 0;
  const pid_t pid = start_worker(order);
  if (pid < 0) return tell({ControlType::kForkFailed, slot, 0, errno, {}});
  slots_[pid] = slot;
  tell({ControlType::kForked, slot, pid, 0, {}});
}

pid_t ForkServer::start_worker(ControlMessage& order) {
  if (const pid_t pid = try_order_spare(order); pid > 0) return pid;
  const pid_t fork_server = ::getpid();
  std::fflush(stdout);  // or each worker would print the buffered text, too
  const pid_t pid = fork_child(loaded_.hooks);
  if (pid == 0) become_worker(loaded_, order, fork_server);
  return pid;
}

// Returns the spare's pid. 0: there is no spare, or it cannot get the order. Then it is ended, and
// reap() tells the master.
pid_t ForkServer::try_order_spare(const ControlMessage& order) {
  if (!spare_) return 0;
  const pid_t pid = spare_->pid;
  const int fds[] = {order.memory.get(), order.output.get()};
  if (!spare_->channel.send(order, fds)) {
    ::kill(pid, SIGKILL);  // cannot fail: the process is not reaped yet
    return 0;
  }
  spare_.reset();
  return pid;
}

void ForkServer::fork_spare() {
  if (spare_) return;  // it has been killed, and is about to end
  is_spare_due_ = false;
  auto ends = ipc::ControlChannel::create_pair();
  if (!ends) return;  // the next worker is forked when it is ordered
  const pid_t fork_server = ::getpid();
  std::fflush(stdout);
  const pid_t pid = fork_child(loaded_.hooks);
  if (pid == 0) {
    ends->first.reset();
    stand_by(loaded_, ipc::ControlChannel(std::move(ends->second)), fork_server);
  }
  if (pid > 0) spare_ = {pid, ipc::ControlChannel(std::move(ends->first))};
}

// Returns when the master has closed the channel.
Status ForkServer::become_inline(ControlMessage& order) {
  if (!order.memory.is_open()) return fail(ExitCode::kResource, "no descriptor is free");
  tell({ControlType::kForked, order.worker, ::getpid(), 0, {}});
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);  // as in a worker
  is_dismissed_ = true;
  return serve_inline(loaded_, order);
}

std::string ForkServer::names_of(std::string_view addresses) {
  std::string names;
  for (uint64_t address = 0; addresses.size() >= sizeof address;
       addresses.remove_prefix(sizeof address)) {
    std::memcpy(&address, addresses.data(), sizeof address);
    std::string name;
    for (size_t i = 0; i < loaded_.handlers.size() && name.empty(); ++i)
      name = loaded_.handlers[i].frame_name(address);
    names += (name.empty() ? loaded_.reports.symbols().name(address) : name) + '\0';
  }
  return names;
}

// True: the worker is not reaped yet, so the kernel cannot have reused its pid.
bool ForkServer::is_worker(uint32_t slot, pid_t pid) const {
  const auto worker = slots_.find(pid);
  return worker != slots_.end() && worker->second == slot;
}

void ForkServer::ask_stack(uint32_t slot, pid_t pid) {
  const bool is_asked =
      std::ranges::any_of(asked_, [pid](const Asked& one) { return one.pid == pid; });
  if (is_asked || !is_worker(slot, pid)) return;
  loaded_.reports.ask_stack(slot, pid);
  asked_.push_back({slot, pid, now_ns() + kNsPerS});
}

void ForkServer::tell_stacks() {
  std::erase_if(asked_, [this](const Asked& asked) {
    if (!is_worker(asked.slot, asked.pid)) return true;
    const std::optional<std::string> stack = loaded_.reports.try_take_stack(asked.slot);
    if (!stack && now_ns() < asked.until_ns) return false;
    tell({ControlType::kStack, asked.slot, asked.pid, 0, stack.value_or("")});
    return true;
  });
}

void ForkServer::reap() {
  signalfd_siginfo ignored;  // several exits may share one signal: waitpid tells
  [[maybe_unused]] const ssize_t size = ::read(child_exits_.get(), &ignored, sizeof ignored);
  for (;;) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, WNOHANG);
    if (pid <= 0) return;
    if (spare_ && spare_->pid == pid) {
      spare_.reset();  // the pid may be another process's next
      tell({ControlType::kSpareExited, 0, pid, status, {}});
      continue;
    }
    const auto worker = slots_.find(pid);
    if (worker == slots_.end()) continue;  // a child that a handler made
    const uint32_t slot = worker->second;
    slots_.erase(worker);
    tell({ControlType::kExited, slot, pid, status, loaded_.reports.describe(slot, status)});
  }
}

void ForkServer::end_workers() {
  if (spare_) {  // it has no job, and may be stopped
    ::kill(spare_->pid, SIGKILL);
    ::waitpid(spare_->pid, nullptr, 0);
  }
  for (const auto& [pid, slot] : slots_)
    ::kill(pid, SIGTERM);
  for (const auto& [pid, slot] : slots_)
    ::waitpid(pid, nullptr, 0);
}

Status be_the_fork_server(const char* generation) {
  sigset_t exits;
  ::sigemptyset(&exits);
  ::sigaddset(&exits, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &exits, nullptr);
  Fd child_exits(::signalfd(-1, &exits, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!child_exits.is_open()) return fail_errno("signalfd", errno);
  RM_ASSERT(child_exits.get() == ipc::kChildExitsFd);  // the lowest free number
  return ForkServer(generation, ipc::ControlChannel(Fd(ipc::kControlFd)), std::move(child_exits))
      .run();
}

}  // namespace

int run_fork_server(int argc, char** argv) {
  if (argc != 4) return static_cast<int>(ExitCode::kUsage);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != std::atoi(argv[3])) return 0;  // the master died before the line above
  ::close_range(ipc::kEventFd + 1, ~0u, 0);
  // Inherited by workers: if the master is gone, a handler that prints gets EPIPE and goes on.
  // (libuv has set every signal to its default in this process.)
  std::signal(SIGPIPE, SIG_IGN);
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);  // a socket's default would keep lines back
  ::setproctitle("-ringmaster: fork server gen=%s", argv[2]);

  const Status ran = be_the_fork_server(argv[2]);
  if (!ran) ::dprintf(STDERR_FILENO, "fork server: %s\n", ran.error().message.c_str());
  return ran ? 0 : static_cast<int>(ran.error().exit_code);
}

}  // namespace ringmaster::worker
