// What a stage (fetch_stage.h, run_stage.h) tells the dispatcher about a job that it was given.
#pragma once

#include <string_view>

#include "master/pipeline/job.h"
#include "rpc/errors.h"

namespace ringmaster::master {

class StageEvents {
 public:
  virtual ~StageEvents() = default;
  // The step's product, the body, has come. `took_ns`: the time with a connection.
  virtual void on_fetched(Job& job, size_t step, uint64_t took_ns) = 0;
  // The job's fetches that began together have ended.
  virtual void on_fetches_done(Job& job, uint64_t now_ns) = 0;
  // A handler's result: JSON in shared memory, valid during the call only.
  virtual void on_result(Job& job, std::string_view result, uint64_t now_ns) = 0;
  // The step failed. The job is in no stage any more, but for other fetches that are under way.
  virtual void on_step_failed(Job& job, size_t step, const rpc::Error& error) = 0;
  // A worker is done with an abandoned job, or has ended.
  virtual void on_released(Job& job) = 0;
};

}  // namespace ringmaster::master
