#include "master/serve.h"

#include <bsd/unistd.h>
#include <csignal>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <memory>
#include <sys/resource.h>
#include <utility>
#include <vector>

#include "base/log.h"
#include "master/cpu_count.h"
#include "master/dispatcher.h"
#include "master/front.h"
#include "master/notify.h"
#include "master/supervisor.h"

namespace ringmaster::master {
namespace {

// TTIN can add this many workers to the configured ones: their slots cost address space only.
constexpr size_t kSpareWorkerSlots = 32;

// When stopping at once: how long the last answers may take to leave.
constexpr uint64_t kLastAnswersMs = 1000;

ipc::Geometry geometry_of(const Options& options, size_t worker_count) {
  ipc::Geometry geometry;
  geometry.worker_slots = static_cast<uint32_t>(worker_count + kSpareWorkerSlots);
  geometry.ring_entries = 4 * geometry.worker_slots;  // more than is ever published at once
  geometry.job_slots = static_cast<uint32_t>(options.limits.queued_jobs);
  geometry.payload_bytes = options.limits.payload_memory_bytes;
  geometry.result_bytes = options.limits.response_bytes;
  return geometry;
}

// A connection is a descriptor: as many as the system lets us have.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

struct CloseLoop {
  void operator()(uv_loop_t* loop) const {
    uv_run(loop, UV_RUN_DEFAULT);  // the close callbacks
    RM_ASSERT(uv_loop_close(loop) == 0);
    delete loop;
  }
};

class Server {
 public:
  explicit Server(Options options)
      : options_(std::move(options)),
        worker_count_(options_.worker_count > 0 ? options_.worker_count : cpu_count()),
        loop_(new uv_loop_t) {
    RM_ASSERT(uv_loop_init(loop_.get()) == 0);
  }

  Status start();
  ExitCode run();

 private:
  Result<std::vector<std::unique_ptr<net::Fetcher>>> make_fetchers();
  void watch_signals();
  void watch_loop();
  void on_signal(int signal);
  void on_ready();
  void on_failed(const Error& error);
  void stop();
  void stop_now();
  void limit_stopping(uint64_t limit_ms);
  void end_when_answered();
  void end(ExitCode exit_code);

  const Options options_;
  const size_t worker_count_;
  std::unique_ptr<uv_loop_t, CloseLoop> loop_;  // closed after everything that lives on it
  std::unique_ptr<ipc::PayloadStore> store_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::unique_ptr<Supervisor> supervisor_;
  std::unique_ptr<Front> front_;
  std::vector<net::UvHandle<uv_signal_t>> signals_;
  net::UvHandle<uv_prepare_t> before_wait_;
  net::UvHandle<uv_check_t> after_wait_;
  net::UvHandle<uv_timer_t> grace_;
  bool is_stopping_ = false;       // nothing new is admitted
  bool is_ending_ = false;         // everything is answered
  bool are_workers_gone_ = false;  // all but the last clients' reading is done
  ExitCode exit_code_ = ExitCode::kOk;
};

Status Server::start() {
  raise_descriptor_limit();
  std::signal(SIGPIPE, SIG_IGN);
  const ipc::Geometry geometry = geometry_of(options_, worker_count_);
  Result<ipc::PayloadStore> store = ipc::PayloadStore::create(geometry);
  if (!store) return tl::unexpected(store.error());
  store_ = std::make_unique<ipc::PayloadStore>(std::move(*store));
  Result<std::vector<std::unique_ptr<net::Fetcher>>> fetchers = make_fetchers();
  if (!fetchers) return tl::unexpected(fetchers.error());
  dispatcher_ =
      std::make_unique<Dispatcher>(loop_.get(), *store_, geometry, std::move(*fetchers),
                                   [this](uint32_t worker) { supervisor_->kill_worker(worker); });
  dispatcher_->set_on_idle([this] { end_when_answered(); });
  front_ = std::make_unique<Front>(loop_.get(), options_, *dispatcher_);
  if (Status bound = front_->bind(inherited_sockets()); !bound) return bound;
  supervisor_ = std::make_unique<Supervisor>(
      Supervisor::Setup{loop_.get(), geometry, worker_count_, store_->memory_fd(),
                        options_.handlers},
      dispatcher_->run_stage(),
      Supervisor::Events{[this] { on_ready(); }, [this](const Error& error) { on_failed(error); },
                         [this] { are_workers_gone_ = true; }});
  watch_signals();
  watch_loop();
  return supervisor_->start();
}

Result<std::vector<std::unique_ptr<net::Fetcher>>> Server::make_fetchers() {
  std::vector<std::unique_ptr<net::Fetcher>> fetchers;
  for (const net::UpstreamOptions& upstream : options_.upstreams) {
    Result<std::unique_ptr<net::Fetcher>> fetcher = net::Fetcher::create(loop_.get(), upstream);
    if (!fetcher) return tl::unexpected(fetcher.error());
    fetchers.push_back(std::move(*fetcher));
  }
  return fetchers;
}

void Server::watch_signals() {
  for (const int signal : {SIGTERM, SIGQUIT, SIGINT, SIGHUP, SIGTTIN, SIGTTOU, SIGUSR1}) {
    signals_.push_back(net::make_handle<uv_signal_t>(loop_.get(), this, uv_signal_init));
    uv_signal_start(
        signals_.back().get(),
        [](uv_signal_t* handle, int number) {
          static_cast<Server*>(handle->data)->on_signal(number);
        },
        signal);
  }
}

void Server::watch_loop() {
  before_wait_ = net::make_handle<uv_prepare_t>(loop_.get(), this, uv_prepare_init);
  uv_prepare_start(before_wait_.get(), [](uv_prepare_t* handle) {
    auto* self = static_cast<Server*>(handle->data);
    self->supervisor_->before_wait();
    self->front_->flush();
    if (self->are_workers_gone_ && self->front_->connections() == 0) uv_stop(handle->loop);
  });
  grace_ = net::make_handle<uv_timer_t>(loop_.get(), this, uv_timer_init);
  after_wait_ = net::make_handle<uv_check_t>(loop_.get(), this, uv_check_init);
  uv_check_start(after_wait_.get(), [](uv_check_t* handle) {
    static_cast<Server*>(handle->data)->supervisor_->after_wait();
  });
}

void Server::on_signal(int signal) {
  switch (signal) {
    case SIGTERM:
    case SIGQUIT:
      return is_stopping_ ? stop_now() : stop();
    case SIGINT:
      return stop_now();
    case SIGTTIN:
      return supervisor_->change_worker_count(+1);
    case SIGTTOU:
      return supervisor_->change_worker_count(-1);
    case SIGUSR1:
      if (Status reopened = reopen_log(); !reopened) {
        log(Level::kError, "log_not_reopened", {{"error", reopened.error().message}});
      }
      return;
    default:
      log(Level::kWarning, "reload_refused", {{"why", "not available in this version: restart"}});
  }
}

void Server::on_ready() {
  if (is_stopping_) return;
  if (Status listening = front_->listen(); !listening) return on_failed(listening.error());
  log(Level::kInfo, "ready",
      {{"address", fmt::format("{}", fmt::join(front_->addresses(), ","))},
       {"workers", worker_count_},
       {"methods", options_.methods.size()}});
  notify_ready(
      fmt::format("{} workers, serving {} methods", worker_count_, options_.methods.size()));
}

void Server::on_failed(const Error& error) {
  log(Level::kError, "not_started", {{"error", error.message}});
  end(error.exit_code);
}

void Server::stop() {
  is_stopping_ = true;
  log(Level::kInfo, "stopping", {{"in_flight", dispatcher_->in_flight()}});
  notify_stopping();
  front_->drain();
  limit_stopping(options_.shutdown_grace_ms);
  end_when_answered();
}

void Server::stop_now() {
  if (is_ending_) return uv_stop(loop_.get());  // a client does not read, or a worker does not end
  is_stopping_ = true;
  log(Level::kWarning, "stopping_now", {{"in_flight", dispatcher_->in_flight()}});
  front_->drain();
  limit_stopping(kLastAnswersMs);
  rpc::Error error;
  error.code = rpc::kShuttingDown;
  error.message = "the server was stopped before this was finished";
  error.reason = "shutting_down";
  error.retryable = true;
  dispatcher_->cut_off_all(error);
  end(ExitCode::kOk);
}

void Server::limit_stopping(uint64_t limit_ms) {
  uv_timer_start(
      grace_.get(), [](uv_timer_t* timer) { static_cast<Server*>(timer->data)->stop_now(); },
      limit_ms, 0);
}

void Server::end_when_answered() {
  if (is_stopping_ && dispatcher_->in_flight() == 0) end(ExitCode::kOk);
}

void Server::end(ExitCode exit_code) {
  if (std::exchange(is_ending_, true)) return;
  exit_code_ = exit_code;
  front_->finish();
  supervisor_->stop();
}

ExitCode Server::run() {
  uv_run(loop_.get(), UV_RUN_DEFAULT);
  return exit_code_;
}

}  // namespace

ExitCode serve(Options options) {
  ::setproctitle("-ringmaster: master %s", options.config_file.c_str());
  Server server(std::move(options));
  if (Status started = server.start(); !started) {
    log(Level::kError, "not_started", {{"error", started.error().message}});
    return started.error().exit_code;
  }
  return server.run();
}

}  // namespace ringmaster::master
