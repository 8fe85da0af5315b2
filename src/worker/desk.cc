#include "worker/desk.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fmt/format.h>
#include <functional>
#include <unistd.h>

#include "base/assert.h"
#include "base/json/scan.h"
#include "ipc/result_code.h"

namespace ringmaster::worker {
namespace {

// The CPU time of this process, with the threads of its handlers.
uint64_t cpu_time_ns() {
  timespec used{};
  RM_ASSERT(::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0);
  return static_cast<uint64_t>(used.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(used.tv_nsec);
}

rm_bytes as_bytes(std::string_view text) {
  return {text.data(), text.size()};
}

constexpr uint64_t kNever = ~uint64_t{0};

Desk* the_desk = nullptr;

// A second answer to the same job is ignored.
const rm_host kHost = {
    [](const rm_job* job, size_t size) { return the_desk->reserve(job, size); },
    [](const rm_job* job, size_t size) { the_desk->commit(job, size); },
    [](const rm_job* job, int32_t code, const char* message, size_t message_size) {
      the_desk->fail(job, code, {message, message_size}, {});
    },
    [](const rm_job* job, int32_t code, const char* message, size_t message_size,
       rm_bytes details) {
      the_desk->fail(job, code, {message, message_size}, {details.data, details.size});
    },
    0,
    0,
};

static_assert(ipc::kReadablePadding >= RINGMASTER_READABLE_PADDING);

}  // namespace

Desk::Desk(ipc::WorkerPort& port, const std::vector<Handler>& handlers,
           const std::vector<ipc::MethodSpec>& methods, OverrunTimer& overrun_timer)
    : port_(port), handlers_(handlers), methods_(methods), overrun_timer_(overrun_timer) {
  the_desk = this;
}

Desk::~Desk() {
  the_desk = nullptr;  // signals may still come
}

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
  handler_ = &handler;
  ends_ns_ = kNever;
  begun_ns_ = now_ns();
  for (const ipc::WorkerPort::Job& job : jobs)
    begun_ns_ = take(job, handler, begun_ns_);
  run(handler);
}

// While a job's params are checked, its item is items_[count_], which count_ does not include yet.
std::optional<ipc::Publication> Desk::job_at_work() {
  if (the_desk == nullptr) return std::nullopt;
  const size_t count = std::min(the_desk->count_ + 1, ipc::kBatchMax);
  for (const Item& item : std::span(the_desk->items_, count)) {
    if (!item.is_answered) return item.id;
  }
  return std::nullopt;
}

uint64_t Desk::take(const ipc::WorkerPort::Job& job, const Handler& handler, uint64_t now) {
  const ipc::JobHeader& header = *job.header;
  measures_cpu_ |= header.measures_cpu != 0;
  Item& item = items_[count_];
  item.id = job.id;
  item.is_answered = false;
  item.ends_ns = kNever;
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
  const auto fault = handler.description().find_fault(params, {method.steps.data(), input_count});
  const uint64_t checked_ns = now_ns();
  item.check_ns = checked_ns - now;
  if (fault) {
    answer(item, RM_INVALID_PARAMS, *fault, ipc::not_called(item.check_ns));
  } else {
    item.ends_ns = header.method_deadline_ns;
    ends_ns_ = std::min(ends_ns_, item.ends_ns);
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
  overrun_timer_.set(handler, begun_ns_, ends_ns_);
  if (measures_cpu_) cpu_begun_ns_ = cpu_time_ns();
  rm_host host = kHost;
  host.debug = handler.is_debugged();
  host.response_bytes = port_.result_bytes();
  handler.run(host, jobs_, count_);
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

void Desk::close(Item& item) {
  std::fflush(stdout);  // for some turns after a result the master knows whose output it reads
  item.is_answered = true;
  reserver_ = nullptr;
  if (item.ends_ns != ends_ns_) return;
  uint64_t next_ns = kNever;
  for (const Item& other : std::span(items_, count_)) {
    if (!other.is_answered) next_ns = std::min(next_ns, other.ends_ns);
  }
  if (next_ns == ends_ns_ || next_ns == kNever) return;
  ends_ns_ = next_ns;
  overrun_timer_.set(*handler_, now_ns(), ends_ns_);
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
  close(*item);
  port_.commit(item->id, ipc::kResultOk, size, run_ns(*item), cpu_ns());
}

void Desk::fail(const rm_job* job, int32_t code, std::string_view message,
                std::string_view details) {
  Item* item = item_of(job);
  if (item == nullptr) return;
  const auto fault = details.empty() ? std::nullopt : json::find_fault(details);
  if (fault) {
    return answer(*item, ipc::kResultInvalid,
                  fmt::format("the handler's details are not JSON: {}", *fault), run_ns(*item));
  }
  answer(*item, code == 0 ? RM_HANDLER_FAILED : code, message, run_ns(*item), details);
}

void Desk::answer(Item& item, int32_t code, std::string_view message, uint64_t run_ns,
                  std::string_view details) {
  if (item.is_answered) return;
  // A handler's fault, which its author should see.
  if (code == ipc::kResultInvalid) {
    ::dprintf(STDERR_FILENO, "%s: %.*s\n", handler_->name().c_str(),
              static_cast<int>(message.size()), message.data());
  }
  // Longer messages are cut: they are for people. limits.response_bytes is at least this number,
  // and a result of that size always fits.
  constexpr size_t kMessageBytesMax = 1024;
  message = message.substr(0, std::min(kMessageBytesMax, message.find('\0')));
  const size_t size = message.size() + (details.empty() ? 0 : 1 + details.size());
  char* room = port_.reserve(size);
  if (room == nullptr) {
    return answer(item, ipc::kResultTooLarge, fmt::format("an error of {} bytes", size), run_ns);
  }
  close(item);
  room += message.copy(room, message.size());
  if (!details.empty()) *room++ = '\0';
  details.copy(room, details.size());
  port_.commit(item.id, code, size, run_ns, (run_ns & ipc::kNotCalledBit) != 0 ? 0 : cpu_ns());
}

}  // namespace ringmaster::worker
