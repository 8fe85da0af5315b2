// FetchValues: the values that a fetch step's templates name, for one job. It also makes the error
// for a value that is missing or cannot be used.
//
// Processes: the master only.
// Memory:    points into the job's payload. REQUIRES: the job outlives it, and stays at its step.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ipc/payload_store.h"
#include "master/pipeline/job.h"
#include "rpc/errors.h"

namespace ringmaster::master {

class FetchValues {
 public:
  // `traceparent`: what ${request.traceparent} stands for.
  FetchValues(const Job& job, size_t step, const ipc::PayloadStore& store,
              std::string_view traceparent);

  // In the order of the step's references: JSON texts; empty: missing.
  std::span<const std::string_view> all() const { return values_; }

  // -32602 if the fault is a value of the client's request. -32015 if it is a value of an earlier
  // step, or if the fetch's whole request is at fault and has values of earlier steps.
  rpc::Error error(const upstream::Template::Fault& fault) const;

 private:
  rpc::Error error_of_whole(const std::string& expected) const;
  std::string_view output_of(size_t step) const;
  void find_in_outputs();
  // The values of the params that earlier steps name stand before those of this step.
  size_t first_param() const;

  const Job& job_;
  const size_t step_;
  const ipc::PayloadStore& store_;
  const std::vector<upstream::Reference>& references_;
  std::string traceparent_;  // as JSON, like client_
  std::string client_;
  std::vector<std::string_view> values_;
};

}  // namespace ringmaster::master
