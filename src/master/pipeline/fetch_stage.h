// FetchStage: runs a job's fetch steps. The body goes from libcurl straight into payload memory, as
// the step's product. That of an optional step that fails is null.
//
// Processes: the master only.
// Memory:    the product's block belongs to the job from its first byte on, so that whatever ends
//            the job frees it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/telemetry/recorder.h"
#include "config/options.h"
#include "ipc/payload_store.h"
#include "master/pipeline/job.h"
#include "master/pipeline/job_memory.h"
#include "master/pipeline/stage_events.h"
#include "upstream/upstream.h"

namespace ringmaster::master {

class FetchStage {
 public:
  // `upstreams` are in the order of Options::upstreams.
  FetchStage(ipc::PayloadStore& store, JobMemory& memory,
             std::vector<std::unique_ptr<upstream::Upstream>> upstreams, StageEvents& events,
             telemetry::Recorder& recorder);

  // Begins the job's current step, a fetch, and those that begin together with it. May call
  // `events` before it returns.
  void start(Job& job, uint64_t now_ns);
  // Aborts the job's fetches.
  void cancel(Job& job);
  const std::vector<std::unique_ptr<upstream::Upstream>>& upstreams() const { return upstreams_; }
  const std::string& name_of(const FetchStep& step) const {
    return upstreams_[step.upstream]->options().name;
  }
  // Upstreams whose options are those of an upstream of `before` go on with its kept answers.
  void adopt_answers(const FetchStage& before);
  // REQUIRES: a fetch of the job has not ended.
  static size_t first_under_way(const Job& job);
  // The upstreams of the job's fetches that have not ended, with commas between them.
  std::string names_under_way(const Job& job) const;
  // How long the fetches of one more request of this client would wait for connections.
  double wait_ns(const Method& method, const ClientShare& client) const;

 private:
  void send(Job& job, size_t step, upstream::RequestTemplate::Rendered request, uint64_t now_ns);
  bool take_bytes(Job::Fetching& fetching, std::string_view bytes, uint64_t expected);
  bool put_null(Job& job, size_t step);
  void on_done(Job::Fetching& fetching, const std::optional<upstream::HttpClient::Failure>& failure,
               uint64_t took_ns, std::string_view result);
  // `reason`: of the failure, or, with code 0, how the fetch got its answer.
  void record_end(const Job::Fetching& fetching, int32_t code, std::string_view reason,
                  uint64_t now_ns);

  ipc::PayloadStore& store_;
  JobMemory& memory_;
  std::vector<std::unique_ptr<upstream::Upstream>> upstreams_;
  StageEvents& events_;
  telemetry::Recorder& recorder_;
  std::vector<telemetry::NameId> names_;  // of the upstreams
};

}  // namespace ringmaster::master
