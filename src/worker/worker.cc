#include "worker/worker.h"

#include <algorithm>
#include <bsd/unistd.h>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fmt/format.h>
#include <optional>
#include <poll.h>
#include <sched.h>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "ipc/control.h"
#include "worker/desk.h"
#include "worker/sampler.h"

namespace ringmaster::worker {
namespace {

// A lost wake-up costs no more than this.
constexpr uint64_t kTickNs = 100 * kNsPerMs;

// How long a worker waits for the rest of a batch that the master is just publishing.
constexpr uint64_t kPublishingNs = 200'000;

volatile std::sig_atomic_t stop_requested = 0;

// Takes one job, and more for its batch.
Status take_jobs(ipc::WorkerPort& port, std::vector<ipc::WorkerPort::Job>& jobs) {
  jobs.clear();
  const Result<std::optional<ipc::WorkerPort::Job>> first = port.try_next();
  if (!first) return tl::unexpected(first.error());
  if (!*first) return {};
  jobs.push_back(**first);
  const ipc::JobHeader& header = *jobs.front().header;
  const size_t batch = header.batch;
  const size_t together = header.taken_together;
  const size_t most = together > 0 ? together : 1 + port.was_share();
  const size_t wanted = batch == 1 ? 1 : std::min(batch, most);
  const uint64_t end_ns = together > 1 ? now_ns() + kPublishingNs : 0;
  while (jobs.size() < wanted) {
    const bool was_any_ready = port.was_any_ready();
    if (const auto next = port.try_next_like(jobs.front())) {
      jobs.push_back(*next);
    } else if (was_any_ready || now_ns() >= end_ns) {
      break;
    }
  }
  return {};
}

// The master has closed the control channel, or is gone.
bool is_dismissed() {
  pollfd channel{ipc::kControlFd, 0, 0};
  return ::poll(&channel, 1, 0) > 0;
}

void catch_sigterm() {
  struct sigaction action {};
  action.sa_handler = [](int) { stop_requested = 1; };
  // SA_RESTART: a handler's system call goes on. The worker's wait for a job ends: a futex wait
  // with a timeout is never restarted.
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

Status serve_jobs(const WorkerOptions& options, ipc::WorkerPort::Shared shared, Fd result_memory,
                  const std::vector<Handler>& handlers,
                  const std::vector<ipc::MethodSpec>& methods) {
  Result<ipc::WorkerPort> port =
      ipc::WorkerPort::open(options.geometry, options.slot, std::move(shared), result_memory.get());
  if (!port) return tl::unexpected(port.error());
  result_memory.reset();
  OverrunTimer overrun_timer;
  if (Status created = overrun_timer.create(handlers); !created) return created;
  Desk desk(*port, handlers, methods, overrun_timer);
  if (options.geometry.samples_stacks != 0) {
    const Status sampling =
        start_sampling(port->samples(), &Desk::job_at_work, __builtin_frame_address(0));
    // Other processes may have used up the user's timers: a worker can do without samples.
    if (!sampling) ::dprintf(STDERR_FILENO, "not sampled: %s\n", sampling.error().message.c_str());
  }
  catch_sigterm();
  // To leave SCHED_IDLE would take a privilege: such a worker is replaced before its generation
  // serves.
  const sched_param none{};
  if (options.is_idle && ::sched_setscheduler(0, SCHED_IDLE, &none) != 0)
    ::dprintf(STDERR_FILENO, "not at idle priority: %s\n", strerrordesc_np(errno));
  const std::string title = fmt::format("worker {} gen={}", options.slot, options.generation);
  ::setproctitle("-ringmaster: %s", title.c_str());
  port->announce_ready();
  std::vector<ipc::WorkerPort::Job> jobs;
  while (!stop_requested && !(options.is_inline && is_dismissed())) {
    if (Status taken = take_jobs(*port, jobs); !taken) return taken;
    if (jobs.empty()) {
      ::setproctitle("-ringmaster: %s", title.c_str());
      port->wait(kTickNs);
      continue;
    }
    for (const ipc::WorkerPort::Job& job : jobs) {
      if (Status sane = desk.check(job); !sane) return sane;
    }
    ::setproctitle("-ringmaster: %s %s", title.c_str(),
                   methods[jobs.front().header->method].name.c_str());
    desk.serve(jobs);
    std::fflush(stdout);  // what the handler printed after its last answer
    port->finish();
  }
  return {};
}

}  // namespace ringmaster::worker
