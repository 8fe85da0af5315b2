#include "master/lifecycle/state_collector.h"

#include <dirent.h>
#include <fmt/format.h>
#include <memory>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/clock.h"
#include "config/config.h"
#include "master/system/process_look.h"
#include "master/system/process_memory.h"

namespace ringmaster::master {
namespace {

constexpr size_t kClientsMax = 1000;  // on a page

bool is_stopped(int32_t pid) {
  const std::optional<ProcessLook> look = look_at_process(pid);
  return look && look->is_stopped();
}

std::string_view state_of(const Supervisor& supervisor, const WorkerSlots::Slot& slot,
                          bool is_busy) {
  switch (slot.state) {
    case WorkerSlots::State::kUp:
      // Idle workers are not looked at: if one is stopped, the supervisor ends it once it leaves a
      // job unclaimed.
      return !is_busy ? "idle" : is_stopped(slot.pid) ? "stopped" : "busy";
    case WorkerSlots::State::kLeaving:
      return "leaving";
    case WorkerSlots::State::kForking:
    case WorkerSlots::State::kStarting:
      return "starting";
    case WorkerSlots::State::kVacant:
      break;
  }
  return supervisor.is_crash_looping() ? "backing_off" : "waiting";
}

void collect_workers(ServerState& state, const Deployment& deployment) {
  const Supervisor& supervisor = deployment.supervisor();
  const WorkerSlots& slots = supervisor.worker_slots();
  for (uint32_t i = 0; i < slots.slot_count(); ++i) {
    const WorkerSlots::Slot& slot = slots.slot(i);
    if (slot.pid == 0 && i >= slots.wanted()) continue;
    WorkerView& worker = state.workers.emplace_back();
    worker.slot = i;
    worker.pid = slot.pid;
    const RunStage::InHand in_hand = deployment.dispatcher().run_stage().in_hand(i);
    worker.state = state_of(supervisor, slot, in_hand.method != nullptr);
    if (in_hand.method != nullptr) {
      worker.method = in_hand.method->name;
      worker.request = in_hand.request;
      worker.busy_for_ns = state.now_ns - std::min(in_hand.since_ns, state.now_ns);
    }
    if (slot.pid == 0) continue;
    worker.age_ns = state.now_ns - std::min(slot.forked_ns, state.now_ns);
    worker.private_bytes = grown_bytes(slot.pid, supervisor.fork_server_pid());
    worker.cpu_ns = cpu_ns_of(slot.pid);
  }
}

void collect_clients(ServerState& state, const Dispatcher& dispatcher) {
  dispatcher.scheduler().shares().for_each([&](const ClientShare& client) {
    state.is_overloaded |= client.is_overloaded(state.now_ns);
    const double used = client.used.at(state.now_ns);
    const bool has_asked = state.now_ns < client.asked_ns + ShareGroup::kActiveNs;
    const bool is_idle = client.jobs == 0 && used < 0.001 && !has_asked;
    if (is_idle || state.clients.size() == kClientsMax) return;
    ClientView& view = state.clients.emplace_back();
    view.name = client.key.substr(1);  // the key begins with its kind
    view.weight = client.weight;
    view.used = used;
    view.in_flight = client.jobs;
    view.memory_bytes = client.memory_bytes;
  });
}

void collect_serving(ServerState& state, const Deployment& deployment) {
  const Dispatcher& dispatcher = deployment.dispatcher();
  state.in_flight_limit = deployment.options().limits.requests_in_flight;
  state.payload_bytes = deployment.store().used_bytes();
  state.payload_limit_bytes = deployment.store().capacity_bytes();
  state.queued = dispatcher.scheduler().queued_jobs();
  state.is_overloaded = dispatcher.scheduler().is_overloaded(state.now_ns);
  state.workers_wanted = deployment.supervisor().workers_wanted();
  collect_workers(state, deployment);
  collect_clients(state, dispatcher);
  for (const auto& upstream : dispatcher.fetch_stage().upstreams()) {
    const upstream::Attempts& attempts = upstream->attempts();
    UpstreamView& view = state.upstreams.emplace_back();
    view.name = upstream->options().name;
    view.in_flight = attempts.in_flight();
    view.waiting = attempts.waiting();
    view.connections = upstream->options().connections;
    view.limit = attempts.limit();
    view.retries = attempts.counts().retries;
    view.hedges = attempts.counts().hedges;
    view.breaker_opened = attempts.counts().breaker_opened;
    view.is_breaker_open = attempts.is_breaker_open();
    view.addresses = attempts.balancer().size();
    view.ejected = attempts.balancer().ejected();
    const upstream::SharedFetches* const shared = upstream->shared();
    if (shared == nullptr) continue;
    view.sharing = UpstreamView::Sharing{{}, shared->cache().bytes(), shared->cache().evictions()};
    for (size_t i = 0; i < upstream::kSharings; ++i)
      view.sharing->fetches.emplace_back(upstream::kSharingNames[i], shared->counts()[i]);
  }
}

// Newer kernels report the number as the folder's size.
uint64_t open_descriptors() {
  struct stat folder {};
  if (::stat("/proc/self/fd", &folder) == 0 && folder.st_size > 0) {
    return static_cast<uint64_t>(folder.st_size);
  }
  struct Close {
    void operator()(DIR* dir) const { ::closedir(dir); }
  };
  const std::unique_ptr<DIR, Close> dir(::opendir("/proc/self/fd"));
  uint64_t count = 0;
  while (dir != nullptr && ::readdir(dir.get()) != nullptr)
    ++count;
  return count;
}

void collect_process(ServerState& state) {
  state.pid = ::getpid();
  state.descriptors = open_descriptors();
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) state.descriptors_limit = limit.rlim_cur;
  state.resident_bytes = resident_bytes(state.pid);
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  state.cpu_s = seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

ServerState collect_state(const Rollout& rollout, const Frontend& frontend) {
  ServerState state;
  state.now_ns = now_ns();
  state.unix_ms = unix_now_ms();
  state.in_flight = rollout.in_flight();
  for (const auto& deployment : rollout.deployments()) {
    const std::string_view what = deployment.get() == rollout.serving() ? "serving"
                                  : deployment.get() == rollout.next()  ? "starting"
                                                                        : "finishing";
    state.deployments.push_back(
        {deployment->supervisor().generation(), what, deployment->dispatcher().in_flight()});
  }
  if (rollout.serving() != nullptr) collect_serving(state, *rollout.serving());
  constexpr std::string_view kFramings[] = {"undecided", "json", "content_length", "http"};
  const std::array<size_t, 4> connections = frontend.connections_by_framing();
  for (size_t i = 0; i < connections.size(); ++i)
    state.connections.emplace_back(kFramings[i], connections[i]);
  state.connections_limit = frontend.limits().connections;
  state.connection_bytes = frontend.memory_bytes();
  collect_process(state);
  return state;
}

std::string configuration_hash(const Options& options) {
  const std::string text = config::dump(options);
  return fmt::format("{:08x}", ::crc32(0, reinterpret_cast<const Bytef*>(text.data()),
                                       static_cast<uInt>(text.size())));
}

}  // namespace ringmaster::master
