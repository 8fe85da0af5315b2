// Service: makes the answer to a request. No sockets, no time.
//
//   POST /features {"user_id": 42}   200, 404 for an unknown user, 400 for a body without user_id
//   anything else of /features       405
//   any other path                   404
//
// Only a well-formed request for a user's features has a delay and may meet a fault. An "X-Fault"
// header with one of fault_names() replaces the drawn fault; the fault is still drawn, so that the
// next requests' fates stay the same.
#pragma once

#include <cstdint>
#include <optional>

#include "demo/feature_service/answer.h"
#include "demo/feature_service/faults.h"
#include "demo/feature_service/users.h"
#include "rpc/http_reader.h"

namespace ringmaster::feature_service {

class Service {
 public:
  Service(Users users, std::optional<uint64_t> event_count, const FateOptions& fates)
      : users_(std::move(users)), event_count_(event_count), fates_(fates) {}

  // The answer must not outlive the service.
  Answer answer(const rpc::HttpReader& request);

  uint64_t user_count() const { return users_.count(); }
  uint64_t request_count() const { return request_count_; }  // answered so far

 private:
  Answer features_of(int64_t user_id, Fate fate);
  std::string garbage();

  const Users users_;
  const std::optional<uint64_t> event_count_;
  Fates fates_;
  uint64_t request_count_ = 0;
};

}  // namespace ringmaster::feature_service
