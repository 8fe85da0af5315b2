#include "worker/foreground.h"

#include <cstring>
#include <limits>
#include <optional>
#include <string_view>

#include "base/assert.h"
#include "ipc/master_port.h"
#include "ipc/method_spec.h"
#include "ipc/payload_store.h"
#include "ipc/worker_port.h"
#include "worker/desk.h"
#include "worker/handler_loader.h"
#include "worker/overrun_timer.h"

namespace ringmaster::worker {
namespace {

constexpr ipc::Publication kPublication{0, 1};
// 292 years after boot. A handler that reads the deadline as a signed number gets a positive one.
constexpr uint64_t kNoDeadline = std::numeric_limits<int64_t>::max();

ipc::Geometry geometry_of(const ForegroundJob& job, uint64_t result_bytes) {
  uint64_t bytes =
      ipc::PayloadStore::block_bytes(job.params.size() + job.id.size() + job.traceparent.size());
  for (const auto& [step, output] : job.inputs)
    bytes += ipc::PayloadStore::block_bytes(output.size());
  ipc::Geometry geometry;
  geometry.worker_slots = geometry.ring_entries = geometry.job_slots = 1;
  geometry.payload_bytes = 2 * bytes;  // the arena keeps small blocks out of its upper quarter
  geometry.result_bytes = result_bytes;
  return geometry;
}

void fill_header(ipc::PayloadStore& store, const ForegroundJob& job) {
  ipc::JobHeader& header = store.header(kPublication.job);
  header.deadline_ns = header.method_deadline_ns = kNoDeadline;
  const auto add = [&](std::string_view bytes, size_t size) {
    const std::optional<ipc::Block> block = store.store(bytes);
    RM_ASSERT(block && header.view_count < ipc::kViewsMax);
    header.views[header.view_count++] = store.view(*block, size);
  };
  header.view_count = 0;
  add(job.params + job.id + job.traceparent, job.params.size());
  for (const auto& [step, output] : job.inputs)
    add(output, output.size());
  header.id_bytes = static_cast<uint32_t>(job.id.size());
  header.traceparent_bytes = static_cast<uint32_t>(job.traceparent.size());
  header.batch = 1;
}

}  // namespace

Result<ForegroundResult> run_in_foreground(const ipc::HandlerSpec& spec, const ForegroundJob& job,
                                           uint64_t result_bytes) {
  static std::vector<Handler> handlers;  // a handler's threads may use the handler after the return
  Result<Handler> handler = HandlerLoader().load(spec);
  if (!handler) return tl::unexpected(handler.error());
  handlers.push_back(std::move(*handler));

  const ipc::Geometry geometry = geometry_of(job, result_bytes);
  Result<ipc::PayloadStore> store = ipc::PayloadStore::create(geometry);
  if (!store) return tl::unexpected(store.error());
  Result<ipc::MasterPort> master = ipc::MasterPort::create(geometry);
  if (!master) return tl::unexpected(master.error());
  const Result<Fd> results = master->renew_results(0);
  if (!results) return tl::unexpected(results.error());
  Result<ipc::WorkerPort::Shared> shared =
      ipc::WorkerPort::map(geometry, master->control_memory_fd(), store->memory_fd());
  if (!shared) return tl::unexpected(shared.error());
  Result<ipc::WorkerPort> worker =
      ipc::WorkerPort::open(geometry, 0, std::move(*shared), results->get());
  if (!worker) return tl::unexpected(worker.error());

  std::vector<ipc::MethodSpec> methods = {{job.method}};
  for (const auto& [step, output] : job.inputs)
    methods[0].steps.push_back(step);
  OverrunTimer overrun_timer;
  if (Status created = overrun_timer.create(handlers); !created) {
    return tl::unexpected(created.error());
  }
  Desk desk(*worker, handlers, methods, overrun_timer);
  fill_header(*store, job);
  RM_ASSERT(master->try_publish(kPublication));
  const Result<std::optional<ipc::WorkerPort::Job>> taken = worker->try_next();
  RM_ASSERT(taken && *taken);
  desk.serve({&**taken, 1});
  worker->finish();

  ForegroundResult answer;
  const auto take = [&](uint32_t, const ipc::ResultReader::Record& record) {
    answer = {record.code, std::string(record.bytes), record.was_run()};
    return true;
  };
  uint32_t damaged = 0;
  const Status drained = master->drain(take, std::numeric_limits<uint64_t>::max(), damaged);
  if (!drained) return tl::unexpected(drained.error());
  return answer;
}

}  // namespace ringmaster::worker
