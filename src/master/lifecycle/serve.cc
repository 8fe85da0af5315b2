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
#include "base/time_slice.h"
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
#include "master/lifecycle/stop.h"
#include "master/lifecycle/watchdog.h"
#include "master/system/freed_memory.h"
#include "master/system/systemd.h"
#include "master/tracing/trace_exporter.h"

namespace ringmaster::master {
namespace {

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
  std::string status(const Deployment* serving) const;
  // A start or a reload is under way.
  bool is_starting() const { return options_loader_.is_loading() || rollout_->is_under_way(); }
  bool can_reload() const { return !options_loader_.is_loading() && rollout_->can_begin(); }
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
  std::unique_ptr<Stop> stop_;
  std::unique_ptr<Watchdog> watchdog_;
  std::unique_ptr<Signals> signals_;
  std::unique_ptr<DevelopmentConsole> development_;  // null: not in development
  UvHandle<uv_prepare_t> before_wait_;
  UvHandle<uv_idle_t> no_wait_;
  UvHandle<uv_check_t> after_wait_;
  ReloadRecord reloads_;
  const uint64_t started_ns_ = now_ns();
  std::string configuration_;       // the absolute path of the file
  std::string configuration_hash_;  // of the options that serve
  bool is_reload_pending_ = false;  // a reload was requested, but could not begin
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
  stop_ = std::make_unique<Stop>(loop_.get(),
                                 Stop::Parts{*rollout_, *frontend_, trace_exporter_, *notifier_,
                                             [this] { return status(rollout_->serving()); }});
  watchdog_ = std::make_unique<Watchdog>(
      loop_.get(), *notifier_,
      Watchdog::Sources{[this] { return status(rollout_->serving()); },
                        [this] { return is_starting() && !stop_->has_begun(); },
                        [this] { return options_loader_.is_loading(); },
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
    self->stop_->advance();
    if (self->rollout_->loop_waits().try_begin()) {
      uv_idle_stop(self->no_wait_.get());
    } else {  // there are results: the next turn takes them
      uv_idle_start(self->no_wait_.get(), [](uv_idle_t*) {});
    }
  });
  after_wait_ = make_handle<uv_check_t>(loop_.get(), this, uv_check_init);
  uv_check_start(after_wait_.get(), [](uv_check_t* handle) {
    static_cast<Server*>(handle->data)->rollout_->loop_waits().end();
  });
}

void Server::on_signal(int signal) {
  switch (signal) {
    case SIGTERM:
    case SIGQUIT:
      return stop_->begin();
    case SIGINT:
      return stop_->stop_now();
    case SIGHUP:  // in development: the terminal was closed
      return development_ != nullptr ? stop_->stop_now() : reload();
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
  stop_->end(error.exit_code);
}

void Server::reload() {
  if (stop_->has_begun() || stop_->is_ending()) return;
  is_reload_pending_ = !can_reload();
  if (is_reload_pending_) {  // before_wait_ calls reload() again once it can begin
    if (!is_starting()) log(Level::kInfo, "reload_waits", {{"former", Rollout::kFormerMax}});
    return;
  }
  reloads_.begin();
  log(Level::kInfo, "reloading");
  notifier_->reloading();
  options_loader_.load([this](OptionsLoader::Loaded options) {
    if (!stop_->is_stopping()) begin_rollout(std::move(options));
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

std::string Server::status(const Deployment* serving) const {
  return status_line(*rollout_, serving, reloads_, stop_->has_begun());
}

Health Server::health() const {
  const Deployment* serving = rollout_->serving();
  const bool does_work = serving != nullptr && serving->supervisor().workers_up() > 0 &&
                         !serving->supervisor().is_stalled();
  return {does_work && !stop_->has_begun(), status(serving)};
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
  const char* state = stop_->has_begun()                    ? "stopping"
                      : rollout_->serving() == nullptr      ? "starting"
                      : is_starting() || is_reload_pending_ ? "reloading"
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
  return stop_->exit_code();
}

}  // namespace

ExitCode serve(Options options, LoadOptions load_options, IsPart is_part) {
  ::setproctitle("-ringmaster: master %s", options.config_file.c_str());
  const auto refuse = [](const Error& error) {
    log(Level::kError, "not_started", {{"error", error.message}});
    return error.exit_code;
  };
  Signals::ignore_others();
  use_short_time_slices();  // woken, it runs at once, also while workers compute
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
  }  // ~Server() has written and logged the last crashes
  if (exit_code == ExitCode::kOk) log(Level::kInfo, "stopped");
  return exit_code;
}

}  // namespace ringmaster::master
