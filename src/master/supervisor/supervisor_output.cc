// Supervisor: says which process has printed a line, and for which job.
#include "master/supervisor/supervisor.h"

namespace ringmaster::master {

Outputs::Events Supervisor::output_events() {
  return {
      [this](uint32_t worker) { return run_stage_.find_printer(worker); },
      [this](uint32_t worker, uint64_t request) { return run_stage_.has_in_hand(worker, request); },
      [this](uint32_t source) { return name_process(source); }};
}

std::vector<LogField> Supervisor::name_process(uint32_t source) const {
  const bool is_worker = source != outputs_.fork_server();
  std::vector<LogField> fields;
  if (is_worker) fields.emplace_back("worker", source);
  if (generation_ == nullptr) return fields;
  fields.emplace_back("gen", generation_->number());
  const int32_t pid = is_worker ? worker_slots_.slot(source).pid : generation_->fork_server_pid();
  if (pid != 0) fields.emplace_back("pid", pid);  // 0: the fork server has not told it yet
  return fields;
}

}  // namespace ringmaster::master
