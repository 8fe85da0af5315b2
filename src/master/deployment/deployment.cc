#include "master/deployment/deployment.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/nearest.h"
#include "master/deployment/openrpc.h"
#include "master/pipeline/profile_view.h"
#include "master/system/cpu_count.h"

namespace ringmaster::master {
namespace {

// SIGTTIN can add this many workers; their slots cost address space only.
constexpr size_t kSpareWorkerSlots = 32;

// Short jobs fill at most half of the entries (see run_stage.cc), so the next entry is mostly free.
// The entries are few enough for a worker to read them all before it sleeps. Large batches for many
// workers may fill the ring: further jobs wait in the queue.
constexpr uint32_t kRingEntriesMin = 512;

ipc::Geometry geometry_of(const Options& options, size_t worker_count) {
  ipc::Geometry geometry;
  const size_t spares = options.confinement.is_inline != 0 ? 0 : kSpareWorkerSlots;
  geometry.worker_slots = static_cast<uint32_t>(worker_count + spares);
  geometry.ring_entries = std::max(kRingEntriesMin, 4 * geometry.worker_slots);
  geometry.job_slots = static_cast<uint32_t>(options.limits.requests_in_flight);
  geometry.payload_bytes = options.limits.payload_memory_bytes;
  geometry.result_bytes = options.limits.response_bytes;
  geometry.samples_stacks = options.worker_profile ? 1 : 0;
  return geometry;
}

rpc::Wanted wanted_by(const std::vector<Method>& methods) {
  rpc::Wanted wanted;
  for (const Method& method : methods) {
    for (const Step& step : method.steps) {
      const auto* fetch = std::get_if<FetchStep>(&step);
      if (fetch == nullptr) continue;
      const std::vector<std::string>& paths = fetch->request.params_paths();
      if (paths.empty()) continue;
      std::vector<std::string>& names = wanted[method.name];
      names.insert(names.end(), paths.begin(), paths.end());
    }
  }
  return wanted;
}

Result<std::vector<std::unique_ptr<upstream::Upstream>>> make_upstreams(uv_loop_t* loop,
                                                                        const Options& options) {
  std::vector<std::unique_ptr<upstream::Upstream>> upstreams;
  for (const upstream::UpstreamOptions& its : options.upstreams) {
    Result<std::unique_ptr<upstream::Upstream>> made = upstream::Upstream::create(loop, its);
    if (!made) return tl::unexpected(made.error());
    upstreams.push_back(std::move(*made));
  }
  return upstreams;
}

// The methods, in the order of the dispatcher's numbers.
std::vector<ipc::MethodSpec> method_specs(const Options& options) {
  std::vector<ipc::MethodSpec> specs;
  for (const Method& method : options.methods) {
    ipc::MethodSpec& spec = specs.emplace_back(ipc::MethodSpec{method.name});
    for (const Step& step : method.steps)
      spec.steps.push_back(name_of(step));
  }
  return specs;
}

}  // namespace

Deployment::Deployment(Options options) : options_(std::move(options)) {
  for (const Method& method : options_.methods) {
    methods_.emplace(method.name, &method);
    method_names_.push_back(method.name);
  }
  wanted_ = std::make_shared<const rpc::Wanted>(wanted_by(options_.methods));
}

Result<std::unique_ptr<Deployment>> Deployment::start(uv_loop_t* loop, LoopWaits& waits,
                                                      Options options, const Deployment* before,
                                                      uint32_t& generations,
                                                      telemetry::Recorder& recorder,
                                                      Events events) {
  std::unique_ptr<Deployment> deployment(new Deployment(std::move(options)));
  if (before != nullptr) deployment->choose_rehearsed(*before);
  const bool is_reload = before != nullptr;
  if (Status set_up =
          deployment->set_up(loop, waits, is_reload, generations, recorder, std::move(events));
      !set_up) {
    return tl::unexpected(set_up.error());
  }
  return deployment;
}

Status Deployment::set_up(uv_loop_t* loop, LoopWaits& waits, bool is_reload, uint32_t& generations,
                          telemetry::Recorder& recorder, Events events) {
  events_ = std::move(events);
  const ipc::Geometry geometry = geometry_of(options_, worker_count(options_));
  Result<ipc::PayloadStore> store = ipc::PayloadStore::create(geometry);
  if (!store) return tl::unexpected(store.error());
  store_ = std::make_unique<ipc::PayloadStore>(std::move(*store));
  Result<std::vector<std::unique_ptr<upstream::Upstream>>> upstreams =
      make_upstreams(loop, options_);
  if (!upstreams) return tl::unexpected(upstreams.error());
  dispatcher_ = std::make_unique<Dispatcher>(
      loop, *store_, geometry, std::move(*upstreams),
      [this](uint32_t worker, const char* why) { supervisor_->kill_worker(worker, why); },
      recorder);
  for (const Method& method : options_.methods)
    dispatcher_->add_method(method);
  dispatcher_->keep_recent(options_.rehearse);
  dispatcher_->set_on_idle([this] {
    if (is_retiring_) stop();
  });
  loop_wait_ = std::make_unique<LoopWait>(loop, waits, dispatcher_->run_stage());
  crash_recorder_ = std::make_unique<CrashRecorder>(loop, options_, *store_);
  const bool watches_slow = std::any_of(options_.methods.begin(), options_.methods.end(),
                                        [](const Method& one) { return one.slow_ms > 0; });
  dispatcher_->run_stage().set_on_crash(
      [this](const Job& job) { crash_recorder_->take_crashed(job); });
  dispatcher_->set_on_slow([this](const Job& job) { crash_recorder_->take_slow(job); });
  supervisor_ = std::make_unique<Supervisor>(
      Supervisor::Setup{loop, geometry, rehearsed_.empty() ? worker_count(options_) : 1, is_reload,
                        !rehearsed_.empty(), options_.start_timeout_ms, options_.worker_max_jobs,
                        options_.worker_max_rss_bytes, store_->memory_fd(), options_.handlers,
                        method_specs(options_), options_.confinement,
                        options_.confinement.is_inline != 0 || !options_.development.file.empty(),
                        watches_slow, generations, recorder},
      dispatcher_->run_stage(),
      Supervisor::Events{[this](std::vector<std::string> descriptions) {
                           descriptions_ = std::move(descriptions);
                           openrpc_ = make_openrpc(options_, descriptions_, addresses_);
                         },
                         [this, loop] { on_workers_up(loop); },
                         [this](const Error& error) {
                           is_over_ = true;
                           events_.on_failed(error);
                         },
                         [this] { is_over_ = true; }});
  return supervisor_->start();
}

// A client that is known by its address has no blank in its name. Other clients have one: "token
// NAME", "certificate SUBJECT", "uid NUMBER".
std::shared_ptr<ClientShare> Deployment::share_of(const std::string& client) {
  const Fair& fair = options_.fair;
  ShareTable& shares = dispatcher_->shares();
  if (!fair.is_by_client) return shares.hold("", ShareTable::Kind::kNamed);
  const size_t blank = client.find(' ');
  if (blank == std::string::npos) return shares.hold(client, ShareTable::Kind::kAddress);
  const bool is_user = client.starts_with("uid ");
  const auto weight = fair.weights.find(is_user ? client : client.substr(blank + 1));
  return shares.hold(client, ShareTable::Kind::kNamed,
                     weight == fair.weights.end() ? 1 : weight->second);
}

const Method* Deployment::find_method(const std::string& name) const {
  const auto found = methods_.find(name);
  return found == methods_.end() ? nullptr : found->second;
}

std::string_view Deployment::nearest_method(std::string_view name) const {
  return nearest(name, method_names_);
}

void Deployment::announce(std::vector<std::string> addresses) {
  addresses_ = std::move(addresses);
  openrpc_ = make_openrpc(options_, descriptions_, addresses_);
}

std::optional<std::string> Deployment::profile(ProfileForm form, bool is_late) {
  const TailProfile& profile = dispatcher_->run_stage().tail_profile();
  const bool is_named = !supervisor_->is_naming() && supervisor_->try_name(functions_of(profile));
  if (!is_named && !is_late) return std::nullopt;
  const ProfileNames names{options_.methods, options_.handlers, [this](uint64_t function) {
                             return supervisor_->names().name(function);
                           }};
  return form == ProfileForm::kJson   ? profile_json(profile, names)
         : form == ProfileForm::kText ? profile_text(profile, names)
                                      : profile_folded(profile, names);
}

size_t Deployment::worker_count(const Options& options) {
  return options.worker_count > 0 ? options.worker_count : cpu_count();
}

const Method* Deployment::counterpart(const Method& method) const {
  const Method* const its = find_method(method.name);
  const auto is_same = [](const Step& a, const Step& b) {
    return is_run(a) == is_run(b) && name_of(a) == name_of(b);
  };
  const bool found = its != nullptr && std::equal(method.steps.begin(), method.steps.end(),
                                                  its->steps.begin(), its->steps.end(), is_same);
  return found ? its : nullptr;
}

void Deployment::choose_rehearsed(const Deployment& before) {
  if (options_.rehearse == 0 || options_.confinement.is_inline != 0) return;
  const auto is_alone = [](const Step& step) {
    const auto* const run = std::get_if<RunStep>(&step);
    return run == nullptr || run->batch == 1;
  };
  for (const Method& method : options_.methods) {
    const Method* const its = before.counterpart(method);
    if (its == nullptr || !is_rehearsable(method)) continue;
    RecentJobs::Kept jobs = before.dispatcher().recent(*its);
    while (jobs.size() > options_.rehearse)
      jobs.pop_front();
    if (jobs.empty()) continue;
    const bool compares_cpu = std::all_of(its->steps.begin(), its->steps.end(), is_alone);
    rehearsed_.push_back({&method, std::move(jobs), compares_cpu});
  }
}

void Deployment::on_workers_up(uv_loop_t* loop) {
  if (rehearsed_.empty()) return events_.on_ready();
  const auto worker_pid = [this]() -> pid_t {
    const WorkerSlots::Slot& slot = supervisor_->worker_slots().slot(0);
    return slot.is_up() ? slot.pid : 0;
  };
  rehearsal_ = std::make_unique<Rehearsal>(loop, *dispatcher_, std::exchange(rehearsed_, {}),
                                           options_.start_timeout_ms, worker_pid);
}

void Deployment::rehearse() {
  if (rehearsal_ == nullptr || !rehearsal_->advance()) return;
  const std::string refusal = rehearsal_->refusal();
  rehearsal_.reset();
  if (refusal.empty()) return supervisor_->end_rehearsal(worker_count(options_));
  stop();
  events_.on_failed({ExitCode::kConfig, refusal});
}

void Deployment::adopt(const Deployment& before) {
  dispatcher_->adopt_answers(*before.dispatcher_);
  for (const Method& method : options_.methods) {
    const Method* const its = before.find_method(method.name);
    if (its == nullptr) continue;
    dispatcher_->adopt_costs(method, *before.dispatcher_, *its);
    if (before.counterpart(method) != nullptr)
      dispatcher_->adopt_recent(method, *before.dispatcher_, *its);
  }
}

void Deployment::retire() {
  is_retiring_ = true;
  if (dispatcher_->in_flight() == 0) stop();
}

void Deployment::log_end() const {
  if (addresses_.empty()) return;
  log(Level::kInfo, "deployment_ended",
      {{"in_flight", dispatcher_->in_flight()}, {"payload_bytes", store_->used_bytes()}});
}

void Deployment::stop() {
  if (std::exchange(is_stopping_, true)) return;
  rehearsal_.reset();
  supervisor_->stop();
}

}  // namespace ringmaster::master
