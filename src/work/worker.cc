#include "work/worker.h"

#include <bsd/unistd.h>
#include <csignal>
#include <cstring>
#include <fmt/format.h>
#include <string_view>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "ipc/control.h"
#include "ipc/result_code.h"
#include "ipc/worker_port.h"
#include "work/sandbox.h"

namespace ringmaster::work {
namespace {

// A wake-up that was lost costs no more than this.
constexpr uint64_t kTickNs = 100 * kNsPerMs;

volatile std::sig_atomic_t stop_requested = 0;

// One job at a time: the state that the host functions, which are plain C, work on.
class Desk {
 public:
  Desk(ipc::WorkerPort& port, const std::vector<Handler>& handlers)
      : port_(port), handlers_(handlers) {}

  void serve(const ipc::WorkerPort::Job& job);

  char* reserve(size_t size);
  void commit(size_t size);
  void answer(int32_t code, std::string_view message);
  bool is_answered() const { return is_answered_; }

 private:
  ipc::WorkerPort& port_;
  const std::vector<Handler>& handlers_;
  ipc::JobId id_;
  char* reserved_ = nullptr;
  bool is_answered_ = false;
};

Desk* the_desk = nullptr;

// A second answer to the same job is the handler's mistake, and changes nothing.
const rm_host kHost = {
    [](const rm_job*, size_t size) { return the_desk->reserve(size); },
    [](const rm_job*, size_t size) { the_desk->commit(size); },
    [](const rm_job*, int32_t code, const char* message, size_t message_size) {
      the_desk->answer(code == 0 ? RM_HANDLER_FAILED : code, {message, message_size});
    },
};

static_assert(ipc::kReadablePadding >= RINGMASTER_READABLE_PADDING);

void Desk::serve(const ipc::WorkerPort::Job& job) {
  const ipc::JobHeader& header = *job.header;
  id_ = job.id;
  is_answered_ = false;
  reserved_ = nullptr;
  if (now_ns() >= header.deadline_ns) {
    answer(ipc::kResultTooLate, "the deadline passed before the job was run");
    return;
  }
  rm_bytes views[ipc::kViewsMax];
  for (uint32_t i = 0; i < header.view_count; ++i) {
    const std::string_view bytes = port_.bytes(header.views[i]);
    views[i] = {bytes.data(), bytes.size()};
  }
  const rm_job described = {views[0], views + 1, header.view_count - 1, header.deadline_ns};
  const Handler& handler = handlers_[header.handler];
  handler.run(kHost, &described, 1);
  if (!is_answered_) {
    answer(ipc::kResultInvalid, fmt::format("handler {} gave no answer", handler.name()));
  }
}

char* Desk::reserve(size_t size) {
  if (is_answered_) return nullptr;
  reserved_ = port_.reserve(size);
  if (reserved_ == nullptr) {
    answer(ipc::kResultTooLarge, fmt::format("a result of {} bytes", size));
  }
  return reserved_;
}

void Desk::commit(size_t size) {
  if (is_answered_) return;
  if (reserved_ == nullptr) {
    answer(ipc::kResultInvalid, "the handler committed a result that it had not reserved");
    return;
  }
  if (const auto fault = json::find_fault({reserved_, size})) {
    answer(ipc::kResultInvalid, fmt::format("the handler's result is not JSON: {}", *fault));
    return;
  }
  port_.commit(id_, ipc::kResultOk, size);
  is_answered_ = true;
}

void Desk::answer(int32_t code, std::string_view message) {
  if (is_answered_) return;
  // A message is for people: what is longer than this is none. limits.response_bytes, which there
  // always is room for, cannot be less.
  constexpr size_t kMessageBytesMax = 1024;
  message = message.substr(0, kMessageBytesMax);
  char* room = port_.reserve(message.size());
  std::memcpy(room, message.data(), message.size());
  port_.commit(id_, code, message.size());
  is_answered_ = true;
}

void catch_sigterm() {
  struct sigaction action {};
  action.sa_handler = [](int) { stop_requested = 1; };
  ::sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

Status serve_jobs(const WorkerOptions& options, const std::vector<Handler>& handlers) {
  Result<ipc::WorkerPort> port = ipc::WorkerPort::open(options.geometry, options.slot);
  if (!port) return tl::unexpected(port.error());
  for (int fd :
       {ipc::kControlFd, ipc::kControlMemoryFd, ipc::kPayloadMemoryFd, ipc::kResultMemoryFd}) {
    ::close(fd);
  }
  Desk desk(*port, handlers);
  the_desk = &desk;
  catch_sigterm();
  volunteer_for_oom();
  if (options.is_sandboxed) {
    if (Status entered = enter_sandbox(); !entered) return entered;
  }
  const std::string title = fmt::format("worker {} gen={}", options.slot, options.generation);
  ::setproctitle("-ringmaster: %s", title.c_str());
  port->announce_ready();
  while (!stop_requested) {
    const std::optional<ipc::WorkerPort::Job> job = port->try_next();
    if (!job) {
      ::setproctitle("-ringmaster: %s", title.c_str());
      port->wait(kTickNs);
      continue;
    }
    ::setproctitle("-ringmaster: %s %s", title.c_str(), job->header->method);
    desk.serve(*job);
    port->finish();
  }
  return {};
}

}  // namespace ringmaster::work
