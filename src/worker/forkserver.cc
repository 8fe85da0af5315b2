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
#include "worker/canary.h"
#include "worker/child.h"
#include "worker/crash/crash_report.h"
#include "worker/handler.h"
#include "worker/handler_loader.h"
#include "worker/low_priority.h"
#include "worker/sandbox.h"
#include "worker/worker.h"

namespace ringmaster::worker {
namespace {

using ipc::ControlMessage;
using ipc::ControlType;

static_assert(RINGMASTER_DESCRIPTION_BYTES_MAX <= ipc::kControlTextBytesMax);

void write_running_stack(int fd) {
  if (const Handler* const handler = Handler::running()) handler->write_stack(fd);
}

// How often the fork server looks whether a worker has written its stack.
constexpr int kStackWaitMs = 5;

class ForkServer {
 public:
  ForkServer(std::string generation, ipc::ControlChannel channel, Fd child_exits)
      : generation_(std::move(generation)),
        channel_(std::move(channel)),
        child_exits_(std::move(child_exits)) {}

  // Runs until the master has closed the channel.
  Status run();

 private:
  void tell(const ControlMessage& message);
  bool is_worker(uint32_t slot, pid_t pid) const;
  Status obey(ControlMessage& message);
  // Returns the sandbox's steps that this system refuses, as text.
  Result<std::string> load(bool is_low_priority);
  void fork_worker(ControlMessage& order);
  Status serve_inline(uint32_t slot, Fd result_memory);
  [[noreturn]] void become_worker(ControlMessage& order, pid_t fork_server);
  std::string names_of(std::string_view addresses);
  void ask_stack(uint32_t slot, pid_t pid);
  void tell_stacks();
  void reap();
  void end_workers();

  std::string generation_;
  ipc::ControlChannel channel_;
  Fd child_exits_;
  ipc::Geometry geometry_;
  ipc::Confinement confinement_;
  CrashReports reports_;
  std::vector<ipc::HandlerSpec> specs_;
  std::vector<ipc::MethodSpec> methods_;
  std::vector<Handler> handlers_;
  ForkHooks hooks_;
  std::map<pid_t, uint32_t> slots_;  // of the live workers
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
    const int wait_ms = asked_.empty() ? -1 : kStackWaitMs;
    if (::poll(polled, 2, wait_ms) < 0 && errno != EINTR) return fail_errno("poll", errno);
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

void ForkServer::tell(const ControlMessage& message) {
  if (!channel_.send(message)) is_dismissed_ = true;
}

Status ForkServer::obey(ControlMessage& message) {
  switch (message.type) {
    case ControlType::kGeometry: {
      Result<ipc::Geometry> geometry = ipc::decode_geometry(message.text);
      if (!geometry) return tl::unexpected(geometry.error());
      geometry_ = *geometry;
      return reports_.create(geometry_.worker_slots);
    }
    case ControlType::kConfinement: {
      Result<ipc::Confinement> confinement = ipc::decode_confinement(message.text);
      if (!confinement) return tl::unexpected(confinement.error());
      confinement_ = *confinement;
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
      methods_.push_back(std::move(*method));
      return {};
    }
    case ControlType::kLoad: {
      if (const Result<std::string> loaded = load(message.status == 1); !loaded) {
        tell({ControlType::kFailed, 0, 0, static_cast<int>(loaded.error().exit_code),
              loaded.error().message});
      } else {
        for (const Handler& handler : handlers_)
          tell({ControlType::kDescription, 0, 0, 0, handler.description().text()});
        tell({ControlType::kLoaded, 0, 0, 0, *loaded});
      }
      return {};
    }
    case ControlType::kFork:
      if (confinement_.is_inline != 0) {
        return serve_inline(message.worker, std::move(message.memory));
      }
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
  const bool forks = confinement_.is_inline == 0;
  std::optional<LowPriority> low_priority;
  if (forks && is_low_priority) low_priority.emplace();
  if (forks && confinement_.sandbox != ipc::Sandbox::kOff) prepare_sandbox();
  Result<std::string> lacks = forks ? try_confine(confinement_) : "";
  if (!lacks) return lacks;
  const HandlerLoader loader;
  for (const ipc::HandlerSpec& spec : specs_) {
    Result<Handler> handler = loader.load(spec);
    if (!handler) return tl::unexpected(handler.error());
    hooks_.add(handler->library(), handler->functions());
    handlers_.push_back(std::move(*handler));
    Status tried = forks ? try_out(handlers_.back(), confinement_, hooks_) : Status();
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
  reports_.clear(slot);
  const pid_t fork_server = ::getpid();
  std::fflush(stdout);  // or each worker would print the buffered text, too
  const pid_t pid = fork_child(hooks_);
  if (pid == 0) become_worker(order, fork_server);
  if (pid < 0) return tell({ControlType::kForkFailed, slot, 0, errno, {}});
  slots_[pid] = slot;
  tell({ControlType::kForked, slot, pid, 0, {}});
}

// Returns when the master has closed the channel.
Status ForkServer::serve_inline(uint32_t slot, Fd result_memory) {
  if (!result_memory.is_open()) return fail(ExitCode::kResource, "no descriptor is free");
  tell({ControlType::kForked, slot, ::getpid(), 0, {}});
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);  // as in a worker
  is_dismissed_ = true;
  return serve_jobs({slot, generation_, geometry_, confinement_, ::getpid(), false},
                    std::move(result_memory), handlers_, methods_);
}

void ForkServer::become_worker(ControlMessage& order, pid_t fork_server) {
  const uint32_t slot = order.worker;
  Status served;
  for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) {
    if (::dup2(order.output.get(), fd) < 0) served = fail_errno("dup2 of the output", errno);
  }
  order.output.reset();
  child_exits_.reset();
  if (served) served = reports_.report_to(slot, write_running_stack);
  if (served)
    served =
        serve_jobs({slot, generation_, geometry_, confinement_, fork_server, order.status == 1},
                   std::move(order.memory), handlers_, methods_);
  if (!served) ::dprintf(STDERR_FILENO, "worker %u: %s\n", slot, served.error().message.c_str());
#if defined(__SANITIZE_ADDRESS__)
  std::exit(served ? 0 : static_cast<int>(served.error().exit_code));  // exit() checks for leaks
#endif
  ::_exit(served ? 0 : static_cast<int>(served.error().exit_code));
}

std::string ForkServer::names_of(std::string_view addresses) {
  std::string names;
  for (uint64_t address = 0; addresses.size() >= sizeof address;
       addresses.remove_prefix(sizeof address)) {
    std::memcpy(&address, addresses.data(), sizeof address);
    std::string name;
    for (size_t i = 0; i < handlers_.size() && name.empty(); ++i)
      name = handlers_[i].frame_name(address);
    names += (name.empty() ? reports_.symbols().name(address) : name) + '\0';
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
  reports_.ask_stack(slot, pid);
  asked_.push_back({slot, pid, now_ns() + kNsPerS});
}

void ForkServer::tell_stacks() {
  std::erase_if(asked_, [this](const Asked& asked) {
    if (!is_worker(asked.slot, asked.pid)) return true;
    const std::optional<std::string> stack = reports_.try_take_stack(asked.slot);
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
    const auto worker = slots_.find(pid);
    if (worker == slots_.end()) continue;  // a child that a handler made
    const uint32_t slot = worker->second;
    slots_.erase(worker);
    tell({ControlType::kExited, slot, pid, status, reports_.describe(slot, status)});
  }
}

void ForkServer::end_workers() {
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
