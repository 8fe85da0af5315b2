#include "master/supervisor/crash_recorder.h"

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

#include "base/assert.h"
#include "base/log.h"
#include "master/supervisor/crash_store.h"

namespace ringmaster::master {
namespace {

// crash-20260704T101112.123Z-812-1017, of request 1017 of master 812: names sort by time.
std::string name_of(const Job& job) {
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  return fmt::format("crash-{:%Y%m%dT%H%M%S}.{:03}Z-{}-{}", now,
                     now.time_since_epoch().count() % 1000, ::getpid(), job.ticket.request);
}

// A word of a shell's command line.
std::string shell_word(std::string_view text) {
  std::string word = "'";
  for (const char c : text)
    word += c == '\'' ? "'\\''" : std::string(1, c);
  return word + "'";
}

// For a reader in another folder. As it was given, where the working folder is gone.
std::string absolute(const std::string& path) {
  std::error_code error;
  const std::filesystem::path found = std::filesystem::absolute(path, error);
  return error ? path : found.lexically_normal().string();
}

std::string report_of(const Job& job, const ipc::HandlerSpec& handler, const Options& options,
                      bool has_params) {
  std::string text = fmt::format(
      "request: {}\nmethod: {}\nstep: {} of {}\nhandler: {}\nlibrary: {}\nattempts: {}\n",
      job.ticket.request, job.method->name, job.step + 1, job.method->steps.size(), handler.name,
      handler.library, job.attempts);
  text += fmt::format("run it again: ringmaster call -c {} {}{}\n",
                      shell_word(absolute(options.config_file)), shell_word(job.method->name),
                      has_params ? " \"$(cat params.json)\"" : "");
  for (const WorkerExit& death : job.deaths) {
    text += fmt::format("\nworker {} of generation {}, pid {}: {}{}{}\n{}\n", death.worker,
                        death.generation, death.pid, death.how, death.cause.empty() ? "" : " by ",
                        death.cause, death.report.empty() ? "no backtrace" : death.report);
  }
  return text;
}

}  // namespace

// Outlives the recorder while a crash is being written.
class CrashRecorder::Writer : public std::enable_shared_from_this<Writer> {
 public:
  Writer(uv_loop_t* loop, const Crashes& options)
      : loop_(loop), options_(options), folder_(options) {}

  // Why a crash of `bytes` bytes cannot be kept. Empty: it can.
  std::optional<std::string> find_fault(uint64_t bytes) const;
  // REQUIRES: find_fault() was empty for its bytes.
  void write(Crash crash);

 private:
  struct Work {
    uv_work_t request;
    std::shared_ptr<Writer> writer;
    Crash crash;
    Result<std::string> kept;
  };
  void start(Crash crash);
  void on_written(const Crash& crash, const Result<std::string>& kept);

  uv_loop_t* loop_;
  Crashes options_;
  CrashStore folder_;
  std::deque<Crash> waiting_;  // while one is being written
  uint64_t bytes_ = 0;         // of all of them
};

std::optional<std::string> CrashRecorder::Writer::find_fault(uint64_t bytes) const {
  if (bytes_ + bytes <= options_.total_bytes) return std::nullopt;
  return fmt::format("it takes {} bytes, {} bytes wait to be written, crashes.total_bytes is {}",
                     bytes, bytes_, options_.total_bytes);
}

void CrashRecorder::Writer::write(Crash crash) {
  const bool is_writing = std::exchange(bytes_, bytes_ + crash.bytes()) > 0;
  if (is_writing) return waiting_.push_back(std::move(crash));
  start(std::move(crash));
}

void CrashRecorder::Writer::start(Crash crash) {
  auto* work = new Work{{}, shared_from_this(), std::move(crash), ""};
  work->request.data = work;
  const auto run = [](uv_work_t* request) {
    auto* self = static_cast<Work*>(request->data);
    self->kept = self->writer->folder_.keep(self->crash);
  };
  const auto done = [](uv_work_t* request, int) {
    const std::unique_ptr<Work> self(static_cast<Work*>(request->data));
    self->writer->on_written(self->crash, self->kept);
  };
  RM_ASSERT(uv_queue_work(loop_, &work->request, run, done) == 0);
}

void CrashRecorder::Writer::on_written(const Crash& crash, const Result<std::string>& kept) {
  if (kept) {
    log(Level::kInfo, "crash_kept", {{"crash", crash.name}, {"folder", *kept}});
  } else {
    log(Level::kError, "crash_not_kept", {{"crash", crash.name}, {"error", kept.error().message}});
  }
  bytes_ -= crash.bytes();
  if (waiting_.empty()) return;
  Crash next = std::move(waiting_.front());
  waiting_.pop_front();
  start(std::move(next));
}

CrashRecorder::CrashRecorder(uv_loop_t* loop, const Options& options,
                             const ipc::PayloadStore& store)
    : options_(options), store_(store) {
  if (!options.crashes.folder.empty()) {
    writer_ = std::make_shared<Writer>(loop, options.crashes);
  }
}

CrashRecorder::~CrashRecorder() = default;

void CrashRecorder::take(const Job& job) {
  const std::string name = name_of(job);
  const ipc::HandlerSpec& handler =
      options_.handlers[std::get<RunStep>(job.method->steps[job.step]).handler];
  std::vector<LogField> fields;
  append_job_fields(fields, job);
  fields.insert(fields.end(),
                {{"handler", handler.name}, {"attempts", job.attempts}, {"crash", name}});
  log(Level::kError, "crash_recorded", fields);
  if (writer_ == nullptr) return;
  const bool has_params = job.products.front().size > 0;
  std::string report = report_of(job, handler, options_, has_params);
  uint64_t bytes = report.size();
  for (const Job::Product& product : job.products)
    bytes += product.size;
  if (const auto fault = writer_->find_fault(bytes)) {  // before anything is copied
    return log(Level::kError, "crash_not_kept", {{"crash", name}, {"error", *fault}});
  }
  Crash crash{name, {}};
  crash.files.emplace_back("report.txt", std::move(report));
  for (size_t i = has_params ? 0 : 1; i < job.products.size(); ++i) {
    const Job::Product& product = job.products[i];
    const char* data = product.size > 0 ? store_.writable(product.block).data() : "";
    crash.files.emplace_back(i == 0 ? "params.json" : fmt::format("input-{}", i),
                             std::string(data, product.size));
  }
  writer_->write(std::move(crash));
}

}  // namespace ringmaster::master
