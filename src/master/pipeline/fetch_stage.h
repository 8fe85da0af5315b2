// FetchStage: runs a job's fetch steps. The body goes from libcurl straight into payload memory, as
// the job's next product.
//
// Processes: the master only.
// Memory:    the product's block belongs to the job from its first byte on, so that whatever ends
//            the job frees it.
#pragma once

#include <memory>
#include <vector>

#include "base/telemetry/recorder.h"
#include "config/options.h"
#include "ipc/payload_store.h"
#include "master/pipeline/job.h"
#include "master/pipeline/job_memory.h"
#include "master/pipeline/stage_events.h"
#include "upstream/http_client.h"

namespace ringmaster::master {

class FetchStage {
 public:
  // `http_clients` are in the order of Options::upstreams.
  FetchStage(ipc::PayloadStore& store, JobMemory& memory,
             std::vector<std::unique_ptr<upstream::HttpClient>> http_clients, StageEvents& events,
             telemetry::Recorder& recorder);

  // Begins `step`, the job's current one. May call `events` before it returns.
  void start(Job& job, const FetchStep& step, uint64_t now_ns);
  // Aborts the job's fetch.
  void cancel(Job& job);
  const std::vector<std::unique_ptr<upstream::HttpClient>>& http_clients() const {
    return http_clients_;
  }
  // How long the fetches of one more request of this client would wait for connections.
  double wait_ns(const Method& method, const ClientShare& client) const;

 private:
  bool take_bytes(Job& job, std::string_view bytes, uint64_t expected);
  void on_done(Job& job, const std::optional<upstream::HttpClient::Failure>& failure,
               uint64_t took_ns);
  // `reason`: empty: the fetch has succeeded.
  void record_end(Job& job, std::string_view reason, uint64_t now_ns);

  ipc::PayloadStore& store_;
  JobMemory& memory_;
  std::vector<std::unique_ptr<upstream::HttpClient>> http_clients_;
  StageEvents& events_;
  telemetry::Recorder& recorder_;
  std::vector<telemetry::NameId> names_;  // of the upstreams
};

}  // namespace ringmaster::master
