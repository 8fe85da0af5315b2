#include "master/pipeline/refusals.h"

#include <fmt/format.h>
#include <utility>

namespace ringmaster::master {

rpc::Error overloaded(std::string reason, std::string message) {
  rpc::Error error = rpc::make_error(rpc::kOverloaded, std::move(reason), std::move(message));
  error.retryable = true;
  return error;
}

rpc::Error refused(const AdmissionRefusal& refusal, uint64_t allowed_ns) {
  const uint64_t predicted_ms = ms_rounded_up(refusal.predicted_ns);
  rpc::Error error;
  switch (refusal.reason) {
    case AdmissionRefusal::Reason::kTooLate:
      error = overloaded(
          "too_late",
          fmt::format(
              "predicted to be done in {} ms, behind the jobs that wait; the deadline is in {} ms",
              predicted_ms, allowed_ns / kNsPerMs));
      break;
    case AdmissionRefusal::Reason::kFairShare:
      error = overloaded(
          "fair_share", fmt::format("this client has used its share, {:.3g}% of the workers' time, "
                                    "and other clients ask for theirs",
                                    100 * refusal.share));
      break;
    case AdmissionRefusal::Reason::kOverloaded:
      error =
          overloaded("overloaded",
                     fmt::format("the queue is {} ms long and has not drained since requests were "
                                 "refused; until it drains, at most {} ms are admitted",
                                 ms_rounded_up(refusal.queue_ns), ms_rounded_up(refusal.limit_ns)));
      break;
  }
  const bool is_too_late = refusal.reason == AdmissionRefusal::Reason::kTooLate;
  if (is_too_late && refusal.concurrency > 0) error.limit = refusal.concurrency;
  error.retry_after_ms = ms_rounded_up(refusal.retry_after_ns);
  return error;
}

}  // namespace ringmaster::master
