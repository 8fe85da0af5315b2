#include "master/supervisor/crash_recorder.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <filesystem>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <optional>
#include <string_view>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/json/kept_job.h"
#include "base/json/scan.h"
#include "base/log.h"
#include "master/supervisor/crash_store.h"

namespace ringmaster::master {
namespace {

constexpr std::string_view kCrashName = "crash";
constexpr std::string_view kSlowName = "slow";

// crash-20260704T101112.123Z-812-1017.json, of request 1017 of master 812: names sort by time.
std::string name_of(std::string_view kind, const Job& job) {
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  return fmt::format("{}-{:%Y%m%dT%H%M%S}.{:03}Z-{}-{}.json", kind, now,
                     now.time_since_epoch().count() % 1000, ::getpid(), job.ticket.request);
}

// A word of a shell's command line.
std::string shell_word(std::string_view text) {
  std::string word = "'";
  for (const char c : text)
    word += c == '\'' ? "'\\''" : std::string(1, c);
  return word + "'";
}

// The path for a reader in another folder. If the working folder is gone: the path as it was given.
std::string absolute(const std::string& path) {
  std::error_code error;
  const std::filesystem::path found = std::filesystem::absolute(path, error);
  return error ? path : found.lexically_normal().string();
}

// "why\nframe\nframe" as an array of lines.
std::string lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(json::quote(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return fmt::format("[{}]", fmt::join(lines, ",\n    "));
}

std::string deaths_of(const Job& job) {
  std::vector<std::string> deaths;
  for (const WorkerExit& death : job.deaths) {
    deaths.push_back(fmt::format(
        R"({{"worker": {}, "generation": {}, "pid": {}, "how": {}, "cause": {}, "backtrace": {}}})",
        death.worker, death.generation, death.pid, json::quote(death.how), json::quote(death.cause),
        lines_of(death.report)));
  }
  return fmt::format("[{}]", fmt::join(deaths, ",\n  "));
}

}  // namespace

// A job that waits to be written.
struct CrashRecorder::Kept {
  std::string name;
  std::vector<json::KeptNote> notes = {};
  uint64_t bytes = 0;  // about the size of the file
  json::KeptJob job = {};
};

// Writes one kind of jobs. Outlives the recorder while it writes.
class CrashRecorder::Writer : public std::enable_shared_from_this<Writer> {
 public:
  Writer(uv_loop_t* loop, std::string_view kind, const Crashes& options)
      : loop_(loop), options_(options), store_(kind, options) {}

  // Why a job of `bytes` bytes cannot be kept. Empty: it can.
  std::optional<std::string> find_fault(uint64_t bytes) const;
  // REQUIRES: find_fault() was empty for its bytes.
  void write(Kept kept);

 private:
  struct Work {
    uv_work_t request;
    std::shared_ptr<Writer> writer;
    Kept kept;
    Result<std::string> path;
  };
  void start(Kept kept);
  void on_written(const Kept& kept, const Result<std::string>& path);

  uv_loop_t* loop_;
  Crashes options_;
  CrashStore store_;
  std::deque<Kept> waiting_;  // until the job before them is written
  uint64_t bytes_ = 0;        // of these and of the job that is being written
};

std::optional<std::string> CrashRecorder::Writer::find_fault(uint64_t bytes) const {
  if (bytes_ + bytes <= options_.total_bytes) return std::nullopt;
  return fmt::format("it takes {} bytes, {} bytes wait to be written, crashes.total_bytes is {}",
                     bytes, bytes_, options_.total_bytes);
}

void CrashRecorder::Writer::write(Kept kept) {
  const bool is_writing = std::exchange(bytes_, bytes_ + kept.bytes) > 0;
  if (is_writing) return waiting_.push_back(std::move(kept));
  start(std::move(kept));
}

void CrashRecorder::Writer::start(Kept kept) {
  auto* work = new Work{{}, shared_from_this(), std::move(kept), ""};
  work->request.data = work;
  const auto run = [](uv_work_t* request) {
    auto* self = static_cast<Work*>(request->data);
    const std::string text = json::encode(self->kept.job, self->kept.notes);
    self->path = self->writer->store_.keep(self->kept.name, text);
  };
  const auto done = [](uv_work_t* request, int) {
    const std::unique_ptr<Work> self(static_cast<Work*>(request->data));
    self->writer->on_written(self->kept, self->path);
  };
  RM_ASSERT(uv_queue_work(loop_, &work->request, run, done) == 0);
}

void CrashRecorder::Writer::on_written(const Kept& kept, const Result<std::string>& path) {
  if (path) {
    log(Level::kInfo, "job_kept", {{"job", kept.name}, {"file", *path}});
  } else {
    log(Level::kError, "job_not_kept", {{"job", kept.name}, {"error", path.error().message}});
  }
  bytes_ -= kept.bytes;
  if (waiting_.empty()) return;
  Kept next = std::move(waiting_.front());
  waiting_.pop_front();
  start(std::move(next));
}

CrashRecorder::CrashRecorder(uv_loop_t* loop, const Options& options,
                             const ipc::PayloadStore& store)
    : options_(options), store_(store) {
  if (options.crashes.folder.empty()) return;
  crashed_ = std::make_shared<Writer>(loop, kCrashName, options.crashes);
  slow_ = std::make_shared<Writer>(loop, kSlowName, options.crashes);
}

CrashRecorder::~CrashRecorder() = default;

void CrashRecorder::take_crashed(const Job& job) {
  Kept kept{name_of(kCrashName, job)};
  std::vector<LogField> fields;
  append_job_fields(fields, job);
  fields.insert(
      fields.end(),
      {{"handler", options_.handlers[std::get<RunStep>(job.method->steps[job.step]).handler].name},
       {"attempts", job.attempts}});
  if (crashed_ != nullptr) fields.emplace_back("crash", kept.name);
  log(Level::kError, "crash_recorded", fields);
  if (crashed_ == nullptr) return;
  kept.notes = {{"kept", R"("its workers died")"}, {"deaths", deaths_of(job)}};
  keep(job, std::move(kept), *crashed_);
}

void CrashRecorder::take_slow(const Job& job) {
  if (slow_ == nullptr || !job.has_begun || !is_run(job.method->steps[job.step])) return;
  const uint64_t now = now_ns();
  uint64_t& next_ns = next_slow_ns_[job.method];
  if (now < next_ns) return;
  next_ns = now + kSlowNs;
  Kept kept{name_of(kSlowName, job)};
  kept.notes = {{"kept", R"("it was slow")"}, {"slow_ms", std::to_string(job.method->slow_ms)}};
  keep(job, std::move(kept), *slow_);
}

void CrashRecorder::keep(const Job& job, Kept kept, Writer& writer) const {
  const uint64_t took_ms = (now_ns() - job.admitted_ns) / kNsPerMs;
  const std::string replay =
      fmt::format("ringmaster replay -c {} {}", shell_word(absolute(options_.config_file)),
                  shell_word(absolute(options_.crashes.folder + '/' + kept.name)));
  kept.notes.insert(kept.notes.end(), {{"request", std::to_string(job.ticket.request)},
                                       {"took_ms", std::to_string(took_ms)},
                                       {"attempts", std::to_string(job.attempts)},
                                       {"replay", json::quote(replay)}});
  for (const auto& [name, value] : kept.notes)
    kept.bytes += name.size() + value.size();
  for (const Job::Product& product : job.products)
    kept.bytes += product.size;
  if (const auto fault = writer.find_fault(kept.bytes)) {  // before anything is copied
    return log(Level::kError, "job_not_kept", {{"job", kept.name}, {"error", *fault}});
  }
  kept.job.method = job.method->name;
  for (const Step& step : job.method->steps)
    kept.job.steps.push_back(master::name_of(step));
  kept.job.step = job.step;
  const RequestTexts request = request_of(store_, job);
  kept.job.params = request.params;
  kept.job.id = request.id;
  kept.job.traceparent = request.traceparent;
  for (size_t i = 1; i < job.products.size(); ++i)
    kept.job.outputs.emplace_back(text_of(store_, job.products[i]));
  writer.write(std::move(kept));
}

}  // namespace ringmaster::master
