#include "worker/worker.h"

#include <algorithm>
#include <bsd/unistd.h>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fmt/format.h>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <unistd.h>
#include <vector>

#include "base/assert.h"
#include "base/clock.h"
#include "base/json/scan.h"
#include "ipc/control.h"
#include "ipc/result_code.h"
#include "ipc/worker_port.h"
#include "worker/confine.h"
#include "worker/sandbox.h"

namespace ringmaster::worker {
namespace {

// A lost wake-up costs no more than this.
constexpr uint64_t kTickNs = 100 * kNsPerMs;

volatile std::sig_atomic_t stop_requested = 0;

// The CPU time of this process, with the threads of its handlers.
uint64_t cpu_time_ns() {
  timespec used{};
  RM_ASSERT(::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0);
  return static_cast<uint64_t>(used.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(used.tv_nsec);
}

rm_bytes as_bytes(std::string_view text) {
  return {text.data(), text.size()};
}

// The jobs in hand: the state of the host functions, which are plain C.
class Desk {
 public:
  Desk(ipc::WorkerPort& port, const std::vector<Handler>& handlers,
       const std::vector<ipc::MethodSpec>& methods)
      : port_(port), handlers_(handlers), methods_(methods) {}

  // Whether there are this job's handler and method, and a step for each of its inputs.
  [[nodiscard]] Status check(const ipc::WorkerPort::Job& job) const;
  // Runs a batch of at least one job, all of one handler. REQUIRES: each was checked.
  void serve(std::span<const ipc::WorkerPort::Job> jobs);

  char* reserve(const rm_job* job, size_t size);
  void commit(const rm_job* job, size_t size);
  void fail(const rm_job* job, int32_t code, std::string_view message);

 private:
  struct Item {
    ipc::Publication id;
    bool is_answered = false;
    uint64_t check_ns = 0;  // how long the check of its params took
    rm_input inputs[ipc::kViewsMax - 1];
  };

  // Adds the job to the batch, or answers it. Returns the time after that.
  uint64_t take(const ipc::WorkerPort::Job& job, const Handler& handler, uint64_t now);
  void run(const Handler& handler);
  Item* item_of(const rm_job* job);
  // Answers with an error. `run_ns`: see ipc::RecordHeader.
  void answer(Item& item, int32_t code, std::string_view message, uint64_t run_ns);
  // The CPU time of the batch so far, divided by its jobs; 0: not measured.
  uint64_t cpu_ns() const;
  uint64_t run_ns(const Item& item) const {
    return item.check_ns + (now_ns() - begun_ns_) / count_;
  }

  ipc::WorkerPort& port_;
  const std::vector<Handler>& handlers_;
  const std::vector<ipc::MethodSpec>& methods_;
  // The batch that the handler has.
  size_t count_ = 0;
  rm_job jobs_[ipc::kBatchMax];
  Item items_[ipc::kBatchMax];
  uint64_t begun_ns_ = 0;  // once all its jobs were checked
  bool measures_cpu_ = false;
  uint64_t cpu_begun_ns_ = 0;
  // The last reserved room, and its job; null: none.
  Item* reserver_ = nullptr;
  char* reserved_ = nullptr;
  size_t reserved_size_ = 0;
};

Desk* the_desk = nullptr;

// A second answer to the same job is ignored.
const rm_host kHost = {
    [](const rm_job* job, size_t size) { return the_desk->reserve(job, size); },
    [](const rm_job* job, size_t size) { the_desk->commit(job, size); },
    [](const rm_job* job, int32_t code, const char* message, size_t message_size) {
      the_desk->fail(job, code == 0 ? RM_HANDLER_FAILED : code, {message, message_size});
    },
};

static_assert(ipc::kReadablePadding >= RINGMASTER_READABLE_PADDING);

// A forged word may name a job whose header the master is just writing.
Status Desk::check(const ipc::WorkerPort::Job& job) const {
  const uint32_t handler = job.header->handler;
  const uint32_t method = job.header->method;
  if (handler < handlers_.size() && method < methods_.size() &&
      job.header->view_count <= methods_[method].steps.size()) {
    return {};
  }
  return ringmaster::fail(
      ExitCode::kInternal,
      fmt::format("damaged memory: job {} has handler {} of {}, method {} of {}, {} views",
                  job.id.job, handler, handlers_.size(), method, methods_.size(),
                  job.header->view_count));
}

void Desk::serve(std::span<const ipc::WorkerPort::Job> jobs) {
  // Read first: once a job is answered, its header may be the next job's.
  const Handler& handler = handlers_[jobs.front().header->handler];
  measures_cpu_ = false;
  begun_ns_ = now_ns();
  for (const ipc::WorkerPort::Job& job : jobs)
    begun_ns_ = take(job, handler, begun_ns_);
  run(handler);
}

uint64_t Desk::take(const ipc::WorkerPort::Job& job, const Handler& handler, uint64_t now) {
  const ipc::JobHeader& header = *job.header;
  measures_cpu_ |= header.measures_cpu != 0;
  Item& item = items_[count_];
  item.id = job.id;
  item.is_answered = false;
  if (now >= header.deadline_ns) {
    answer(item, ipc::kResultTooLate, "the deadline passed before the job was run", ipc::kNotRun);
    return now;
  }
  const ipc::MethodSpec& method = methods_[header.method];
  const size_t input_count = header.view_count - 1;
  for (size_t i = 0; i < input_count; ++i) {
    item.inputs[i] = {as_bytes(method.steps[i]), as_bytes(port_.bytes(header.views[i + 1]))};
  }
  const std::string_view params = port_.bytes(header.views[0]);
  const auto fault = handler.description().find_fault(params);
  const uint64_t checked_ns = now_ns();
  item.check_ns = checked_ns - now;
  if (fault) {
    answer(item, RM_INVALID_PARAMS, *fault, ipc::not_called(item.check_ns));
  } else {
    jobs_[count_++] = {
        .params = as_bytes(params),
        .inputs = item.inputs,
        .input_count = input_count,
        .deadline_ns = header.deadline_ns,
        .method = as_bytes(method.name),
        .id = as_bytes({params.end(), header.id_bytes}),
        .traceparent = as_bytes({params.end() + header.id_bytes, header.traceparent_bytes}),
    };
  }
  return checked_ns;
}

void Desk::run(const Handler& handler) {
  if (count_ == 0) return;
  if (measures_cpu_) cpu_begun_ns_ = cpu_time_ns();
  handler.run(kHost, jobs_, count_);
  for (size_t i = 0; i < count_; ++i) {
    answer(items_[i], ipc::kResultInvalid, fmt::format("handler {} gave no answer", handler.name()),
           run_ns(items_[i]));
  }
  count_ = 0;
  reserver_ = nullptr;
}

uint64_t Desk::cpu_ns() const {
  return measures_cpu_ ? (cpu_time_ns() - cpu_begun_ns_) / count_ : 0;
}

// Null: the handler was not given this job, or it is answered.
Desk::Item* Desk::item_of(const rm_job* job) {
  if (std::less<>()(job, jobs_) || !std::less<>()(job, jobs_ + count_)) return nullptr;
  Item& item = items_[job - jobs_];
  return item.is_answered ? nullptr : &item;
}

char* Desk::reserve(const rm_job* job, size_t size) {
  Item* item = item_of(job);
  if (item == nullptr) return nullptr;
  reserver_ = item;
  reserved_ = port_.reserve(size);
  reserved_size_ = size;
  if (reserved_ == nullptr) {
    answer(*item, ipc::kResultTooLarge, fmt::format("a result of {} bytes", size), run_ns(*item));
  }
  return reserved_;
}

void Desk::commit(const rm_job* job, size_t size) {
  Item* item = item_of(job);
  if (item == nullptr) return;
  if (reserver_ != item) {
    return answer(*item, ipc::kResultInvalid,
                  "the handler committed a result that it had not reserved", run_ns(*item));
  }
  if (size > reserved_size_) {
    return answer(
        *item, ipc::kResultInvalid,
        fmt::format("the handler committed {} bytes, having reserved {}", size, reserved_size_),
        run_ns(*item));
  }
  if (const auto fault = json::find_fault({reserved_, size})) {
    return answer(*item, ipc::kResultInvalid,
                  fmt::format("the handler's result is not JSON: {}", *fault), run_ns(*item));
  }
  item->is_answered = true;
  reserver_ = nullptr;
  port_.commit(item->id, ipc::kResultOk, size, run_ns(*item), cpu_ns());
}

void Desk::fail(const rm_job* job, int32_t code, std::string_view message) {
  if (Item* item = item_of(job)) answer(*item, code, message, run_ns(*item));
}

void Desk::answer(Item& item, int32_t code, std::string_view message, uint64_t run_ns) {
  if (item.is_answered) return;
  // Longer messages are cut: they are for people. limits.response_bytes is at least this number,
  // and a result of that size always fits.
  constexpr size_t kMessageBytesMax = 1024;
  message = message.substr(0, kMessageBytesMax);
  item.is_answered = true;
  reserver_ = nullptr;
  char* room = port_.reserve(message.size());
  std::memcpy(room, message.data(), message.size());
  port_.commit(item.id, code, message.size(), run_ns,
               (run_ns & ipc::kNotCalledBit) != 0 ? 0 : cpu_ns());
}

// Takes one job, and more for its batch.
Status take_jobs(ipc::WorkerPort& port, std::vector<ipc::WorkerPort::Job>& jobs) {
  jobs.clear();
  const Result<std::optional<ipc::WorkerPort::Job>> next = port.try_next();
  if (!next) return tl::unexpected(next.error());
  std::optional<ipc::WorkerPort::Job> job = *next;
  if (!job) return {};
  const size_t batch = job->header->batch;
  const size_t wanted = batch == 1 ? 1 : std::min(batch, 1 + port.was_share());
  jobs.push_back(*job);
  while (jobs.size() < wanted && (job = port.try_next_like(jobs.front())))
    jobs.push_back(*job);
  return {};
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

Status serve_jobs(const WorkerOptions& options, Fd result_memory,
                  const std::vector<Handler>& handlers,
                  const std::vector<ipc::MethodSpec>& methods) {
  Result<ipc::WorkerPort> port =
      ipc::WorkerPort::open(options.geometry, options.slot, result_memory.get());
  if (!port) return tl::unexpected(port.error());
  result_memory.reset();
  for (int fd : {ipc::kControlFd, ipc::kControlMemoryFd, ipc::kPayloadMemoryFd})
    ::close(fd);
  Desk desk(*port, handlers, methods);
  the_desk = &desk;
  catch_sigterm();
  volunteer_for_oom();
  // The fork server has reported the refused steps already.
  const Result<std::string> confined = confine(options.confinement, options.fork_server);
  if (!confined) return tl::unexpected(confined.error());
  const std::string title = fmt::format("worker {} gen={}", options.slot, options.generation);
  ::setproctitle("-ringmaster: %s", title.c_str());
  port->announce_ready();
  std::vector<ipc::WorkerPort::Job> jobs;
  while (!stop_requested) {
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
    std::fflush(stdout);  // while the job is still in hand: the master logs it as this job's
    port->finish();
  }
  return {};
}

}  // namespace ringmaster::worker
