#include "master/lifecycle/serve.h"

#include <bsd/unistd.h>
#include <csignal>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <memory>
#include <unistd.h>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/telemetry/recorder.h"
#include "config/paths.h"
#include "master/admin/admin_server.h"
#include "master/admin/agent_line.h"
#include "master/admin/reload_record.h"
#include "master/deployment/rollout.h"
#include "master/frontend/frontend.h"
#include "master/lifecycle/development.h"
#include "master/lifecycle/fd_limit.h"
#include "master/lifecycle/loop.h"
#include "master/lifecycle/options_loader.h"
#include "master/lifecycle/pages.h"
#include "master/lifecycle/request_log.h"
#include "master/lifecycle/signals.h"
#include "master/lifecycle/state_collector.h"
#include "master/lifecycle/status_line.h"
#include "master/lifecycle/watchdog.h"
#include "master/system/freed_memory.h"
#include "master/system/systemd.h"
#include "master/tracing/trace_exporter.h"

namespace ringmaster::master {
namespace {

// When stopping at once: how long clients may take to read the last answers.
constexpr uint64_t kLastAnswersMs = 1000;

// How much longer a stop serves messages once no request is in flight and every message that was
// read before the stop is served. The limit is needed because a client may go on sending for ever.
constexpr uint64_t kLastMessagesNs = 500 * kNsPerMs;

// How much longer than shutdown.grace_ms the service manager is asked to wait: for the last
// answers, and for the processes to end.
constexpr uint64_t kEndMs = kLastAnswersMs + 4000;

class Server {
 public:
  Server(LoadOptions load_options, Loop loop)
      : loop_(std::move(loop)), options_loader_(loop_.get(), std::move(load_options)) {}

  Status start(Options options, IsPart is_part);
  ExitCode run();

 private:
  Status bind(const Options& options);
  void watch_loop();
  void on_signal(int signal);
  Status on_ready(Deployment& next);
  void on_failed(const Error& error);
  void reload();
  void begin_rollout(OptionsLoader::Loaded options);
  void refuse_reload(const std::string& why);
  void change_worker_count(int by);
  void announce_stop();
  void stop();
  void stop_now();
  void limit_stopping(uint64_t limit_ms);
  void end_when_answered();
  void end(ExitCode exit_code);
  std::string status(const Deployment* serving) const;
  // A start or reload is loading its configuration or its handlers.
  bool is_reloading() const { return options_loader_.is_loading() || rollout_->is_under_way(); }
  bool can_reload() const { return !options_loader_.is_loading() && rollout_->can_begin(); }
  bool is_leaving() const { return is_announced_ || is_stopping_; }
  Health health() const;
  std::string agent() const;
  ServerState state() const;
  std::string reloads() const;
  std::optional<std::string> profile(Deployment::ProfileForm form, bool is_late);

  const Loop loop_;  // closed after all handles on it
  FreedMemory freed_memory_{loop_.get()};
  telemetry::Recorder recorder_;
  RequestLog request_log_{loop_.get(), recorder_};
  TraceExporter trace_exporter_{loop_.get(), recorder_};
  OptionsLoader options_loader_;
  std::unique_ptr<Rollout> rollout_;
  std::unique_ptr<Frontend> frontend_;
  std::unique_ptr<AdminServer> status_port_;
  std::unique_ptr<Notifier> notifier_;
  std::unique_ptr<Watchdog> watchdog_;
  std::unique_ptr<Signals> signals_;
  std::unique_ptr<DevelopmentConsole> development_;  // null: not in development
  UvHandle<uv_prepare_t> before_wait_;
  UvHandle<uv_idle_t> no_wait_;
  UvHandle<uv_check_t> after_wait_;
  UvHandle<uv_timer_t> grace_;
  ReloadRecord reloads_;
  const uint64_t started_ns_ = now_ns();
  std::string configuration_;       // the absolute path of the file
  std::string configuration_hash_;  // of the options that serve
  bool is_reload_pending_ = false;  // a reload was requested, but could not begin
  bool is_announced_ = false;       // a stop follows: see shutdown.notice_ms
  bool is_stopping_ = false;        // no new requests are admitted
  bool is_ending_ = false;          // all requests are answered
  uint64_t answered_ns_ = 0;        // while stopping: when nothing was in flight any more
  ExitCode exit_code_ = ExitCode::kOk;
};

Status Server::start(Options options, IsPart is_part) {
  rollout_ =
      std::make_unique<Rollout>(loop_.get(), recorder_,
                                Rollout::Events{[this](Deployment& next) { return on_ready(next); },
                                                [this](const Error& error) { on_failed(error); }});
  frontend_ = std::make_unique<Frontend>(loop_.get(), inherited_sockets(), recorder_);
  status_port_ = std::make_unique<AdminServer>(
      loop_.get(), make_pages({[this] { return health(); }, [this] { return agent(); },
                               [this] { return state(); }, [this] { return reloads(); },
                               [this](Deployment::ProfileForm form, bool is_late) {
                                 return profile(form, is_late);
                               },
                               recorder_}));
  configuration_ = config::absolute_path(options.config_file).string();
  if (Status bound = bind(options); !bound) return bound;
  if (Status listening = status_port_->listen(); !listening) return listening;
  status_port_->open();
  notifier_ = std::make_unique<Notifier>(loop_.get());
  watchdog_ =
      std::make_unique<Watchdog>(loop_.get(), *notifier_,
                                 Watchdog::Sources{[this] { return status(rollout_->serving()); },
                                                   [this] { return rollout_->loading_pid(); }});
  signals_ = std::make_unique<Signals>(loop_.get(), [this](int signal) { on_signal(signal); });
  watch_loop();
  if (const std::string& file = options.development.file; !file.empty()) {
    development_ =
        std::make_unique<DevelopmentConsole>(loop_.get(), std::move(is_part), [this] { reload(); });
    if (Status watched = development_->watch(file); !watched) return watched;
    if (options.methods.empty()) return log(Level::kInfo, "waiting_for_save"), Status();
  }
  return rollout_->begin(std::move(options));
}

Status Server::bind(const Options& options) {
  if (Status bound = frontend_->bind(options); !bound) return bound;
  Status bound = status_port_->bind(options.listen_status, options.unix_access);
  if (bound || options.is_status_configured) return bound;
  // The address is the default, not configured: a second server on this host must not fail.
  log(Level::kWarning, "no_status_port", {{"error", bound.error().message}});
  return {};
}

void Server::watch_loop() {
  no_wait_ = make_handle<uv_idle_t>(loop_.get(), this, uv_idle_init);
  before_wait_ = make_handle<uv_prepare_t>(loop_.get(), this, uv_prepare_init);
  uv_prepare_start(before_wait_.get(), [](uv_prepare_t* handle) {
    auto* self = static_cast<Server*>(handle->data);
    self->rollout_->loop_waits().take_results();
    self->rollout_->destroy_ended();
    self->rollout_->rehearse();
    if (self->is_reload_pending_ && self->can_reload()) self->reload();
    self->frontend_->flush();
    self->status_port_->flush();
    self->end_when_answered();
    if (self->rollout_->loop_waits().try_begin()) {
      uv_idle_stop(self->no_wait_.get());
    } else {  // there are results: the next turn takes them
      uv_idle_start(self->no_wait_.get(), [](uv_idle_t*) {});
    }
    const bool is_over = self->rollout_->is_over() && self->frontend_->connections() == 0 &&
                         !self->trace_exporter_.has_spans();
    if (self->is_ending_ && is_over) uv_stop(handle->loop);
  });
  grace_ = make_handle<uv_timer_t>(loop_.get(), this, uv_timer_init);
  after_wait_ = make_handle<uv_check_t>(loop_.get(), this, uv_check_init);
  uv_check_start(after_wait_.get(), [](uv_check_t* handle) {
    static_cast<Server*>(handle->data)->rollout_->loop_waits().end();
  });
}

void Server::on_signal(int signal) {
  switch (signal) {
    case SIGTERM:
    case SIGQUIT:
      return is_leaving() ? stop_now() : announce_stop();
    case SIGINT:
      return stop_now();
    case SIGHUP:  // in development: the terminal was closed
      return development_ != nullptr ? stop_now() : reload();
    case SIGTTIN:
      return change_worker_count(+1);
    case SIGTTOU:
      return change_worker_count(-1);
    default:  // SIGUSR1
      if (Status reopened = reopen_log(); !reopened) {
        log(Level::kError, "log_not_reopened", {{"error", reopened.error().message}});
      }
  }
}

Status Server::on_ready(Deployment& next) {
  // All that may fail comes before the first change that cannot be undone.
  if (Status listening = status_port_->listen(); !listening) return listening;
  const Status exporting = trace_exporter_.configure(next.options().telemetry);
  if (!exporting) return exporting;
  if (Status serving = frontend_->serve(next); !serving) return serving;
  status_port_->open();
  configuration_hash_ = configuration_hash(next.options());
  request_log_.set_options(next.options());
  next.announce(frontend_->addresses());
  const size_t workers = next.supervisor().workers_wanted();
  const size_t methods = next.options().methods.size();
  const bool is_reload = rollout_->serving() != nullptr;
  log(Level::kInfo, is_reload ? "reloaded" : "ready",
      {{"address", fmt::format("{}", fmt::join(frontend_->addresses(), ","))},
       {"workers", workers},
       {"methods", methods}});
  if (is_reload) reloads_.end(next.supervisor().generation(), unix_now_s(), "");
  if (development_ != nullptr) {
    development_->print_calls(next.options().development.calls, frontend_->addresses().front());
  }
  notifier_->ready(status(&next));
  return {};
}

void Server::on_failed(const Error& error) {
  if (rollout_->serving() != nullptr || development_ != nullptr)
    return refuse_reload(error.message);
  log(Level::kError, "not_started", {{"error", error.message}});
  end(error.exit_code);
}

void Server::reload() {
  if (is_leaving() || is_ending_) return;
  is_reload_pending_ = !can_reload();
  if (is_reload_pending_) {  // before_wait_ calls reload() again once it can begin
    if (!is_reloading()) log(Level::kInfo, "reload_waits", {{"former", Rollout::kFormerMax}});
    return;
  }
  reloads_.begin();
  log(Level::kInfo, "reloading");
  notifier_->reloading();
  options_loader_.load([this](OptionsLoader::Loaded options) {
    if (!is_stopping_) begin_rollout(std::move(options));
  });
}

void Server::begin_rollout(OptionsLoader::Loaded options) {
  if (!options) {
    const std::vector<std::string>& problems = options.error();
    // In development a single problem is not logged here, because refuse_reload() logs it.
    for (const std::string& problem : problems) {
      if (development_ == nullptr || problems.size() > 1)
        log(Level::kError, "bad_configuration", {{"problem", problem}});
    }
    return refuse_reload(problems.front());
  }
  Status begun = fit_to_descriptors(*options);
  if (begun) begun = bind(*options);
  if (begun) begun = rollout_->begin(std::move(*options));
  if (!begun) refuse_reload(begun.error().message);
}

void Server::refuse_reload(const std::string& why) {
  frontend_->forget_bound();
  status_port_->forget_bound();
  const Deployment* serving = rollout_->serving();
  log(Level::kError, serving == nullptr ? "not_started" : "reload_failed", {{"error", why}});
  if (serving == nullptr) return log(Level::kInfo, "waiting_for_save");  // in development
  reloads_.end(serving->supervisor().generation(), unix_now_s(), why);
  notifier_->ready(status(serving));
}

void Server::change_worker_count(int by) {
  if (rollout_->serving() != nullptr) rollout_->serving()->supervisor().change_worker_count(by);
}

// Serves for a while longer, so that load balancers, which /readyz and the agent tell of it, send
// nothing any more when requests are refused.
void Server::announce_stop() {
  const Deployment* serving = rollout_->serving();
  const uint64_t notice_ms = serving == nullptr ? 0 : serving->options().shutdown_notice_ms;
  if (notice_ms == 0) return stop();
  is_announced_ = true;
  log(Level::kInfo, "stop_announced", {{"notice_ms", notice_ms}});
  notifier_->stopping(status(serving), notice_ms + serving->options().shutdown_grace_ms + kEndMs);
  uv_timer_start(
      grace_.get(), [](uv_timer_t* timer) { static_cast<Server*>(timer->data)->stop(); }, notice_ms,
      0);
}

void Server::stop() {
  is_stopping_ = true;
  log(Level::kInfo, "stopping", {{"in_flight", rollout_->in_flight()}});
  const Deployment* serving = rollout_->serving();
  const uint64_t grace_ms = serving == nullptr ? 0 : serving->options().shutdown_grace_ms;
  notifier_->stopping(status(serving), grace_ms + kEndMs);
  frontend_->drain();
  rollout_->give_up();
  limit_stopping(grace_ms);
}

void Server::stop_now() {
  if (is_ending_) return uv_stop(loop_.get());  // waits no longer for clients and workers
  is_stopping_ = true;
  log(Level::kWarning, "stopping_now", {{"in_flight", rollout_->in_flight()}});
  frontend_->drain();
  limit_stopping(kLastAnswersMs);
  rpc::Error error = rpc::make_error(rpc::kShuttingDown, "shutting_down",
                                     "the server stopped before the request was finished");
  error.retryable = true;
  rollout_->cut_off_all(error);
  frontend_->flush();  // requests that waited for these answers are refused
  end(ExitCode::kOk);
}

void Server::limit_stopping(uint64_t limit_ms) {
  uv_timer_start(
      grace_.get(), [](uv_timer_t* timer) { static_cast<Server*>(timer->data)->stop_now(); },
      limit_ms, 0);
}

// Call after flush(), which refuses the requests that were read and then held until earlier answers
// were sent.
void Server::end_when_answered() {
  if (!is_stopping_ || is_ending_) return;
  if (rollout_->in_flight() > 0 || frontend_->has_unserved_of_before()) return;
  if (answered_ns_ == 0) answered_ns_ = now_ns();
  if (frontend_->has_unserved() && now_ns() < answered_ns_ + kLastMessagesNs) return;
  end(ExitCode::kOk);
  frontend_->flush();  // closes the connections now: the next turn may begin only at a timer
}

void Server::end(ExitCode exit_code) {
  if (std::exchange(is_ending_, true)) return;
  exit_code_ = exit_code;
  frontend_->finish();
  rollout_->stop_all();
  trace_exporter_.finish();
}

std::string Server::status(const Deployment* serving) const {
  return status_line(*rollout_, serving, reloads_, is_leaving());
}

Health Server::health() const {
  const Deployment* serving = rollout_->serving();
  const bool does_work = serving != nullptr && serving->supervisor().workers_up() > 0 &&
                         !serving->supervisor().is_stalled();
  return {does_work && !is_leaving(), status(serving)};
}

std::string Server::agent() const {
  if (!health().is_ready) return agent_line(std::nullopt);
  return agent_line(rollout_->serving()->dispatcher().scheduler().idle_part(now_ns()));
}

ServerState Server::state() const {
  ServerState state = collect_state(*rollout_, *frontend_);
  state.health = health();
  state.uptime_ns = state.now_ns - started_ns_;
  state.configuration = configuration_;
  for (const auto& spans : trace_exporter_.spans())
    state.trace_spans.push_back(spans);
  state.configuration_hash = configuration_hash_;
  return state;
}

std::string Server::reloads() const {
  const char* state = is_leaving()                           ? "stopping"
                      : rollout_->serving() == nullptr       ? "starting"
                      : is_reloading() || is_reload_pending_ ? "reloading"
                                                             : "serving";
  return reloads_.to_json(::getpid(), configuration_, state);
}

std::optional<std::string> Server::profile(Deployment::ProfileForm form, bool is_late) {
  Deployment* const serving = rollout_->serving();
  if (serving != nullptr) return serving->profile(form, is_late);
  return form == Deployment::ProfileForm::kJson ? "{}" : "";
}

ExitCode Server::run() {
  uv_run(loop_.get(), UV_RUN_DEFAULT);
  return exit_code_;
}

}  // namespace

ExitCode serve(Options options, LoadOptions load_options, IsPart is_part) {
  ::setproctitle("-ringmaster: master %s", options.config_file.c_str());
  const auto refuse = [](const Error& error) {
    log(Level::kError, "not_started", {{"error", error.message}});
    return error.exit_code;
  };
  Signals::ignore_others();
  // Before the loop, which takes the first descriptors.
  if (Status fits = fit_to_descriptors(options); !fits) return refuse(fits.error());
  Result<Loop> loop = make_loop();
  if (!loop) return refuse(loop.error());
  ExitCode exit_code = ExitCode::kOk;
  {
    Server server(std::move(load_options), std::move(*loop));
    Status started = server.start(std::move(options), std::move(is_part));
    if (!started) return refuse(started.error());
    exit_code = server.run();
  }  // the last crashes are written, and logged, by then
  if (exit_code == ExitCode::kOk) log(Level::kInfo, "stopped");
  return exit_code;
}

}  // namespace ringmaster::master
