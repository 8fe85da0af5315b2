// RecentJobs: copies of the last answered jobs of each method. The next deployment runs them before
// it serves: see rehearsal/rehearsal.h.
//
// Processes: the master only.
// Cost:      of a method's jobs at most one in kBetweenNs is chosen. A chosen one costs a copy of
//            what it carried, and two system calls of its worker, which measures its CPU time.
// Limits:    of each method at most `count` jobs and kMethodBytesMax, the last ones that were
//            chosen; no job of more than kJobBytesMax.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"

namespace ringmaster::master {

struct RecentJob {
  std::string params;                // a JSON object or array; empty: none
  std::string id;                    // of the request, as JSON; empty: none
  std::vector<std::string> outputs;  // of the steps before the last one
  std::string result;
  uint64_t cpu_ns = 0;   // of its run steps
  uint64_t took_ns = 0;  // from admission to the answer
  uint64_t request = 0;  // its number, which the log has, too

  size_t bytes() const;
};

class RecentJobs {
 public:
  using Kept = std::deque<std::shared_ptr<const RecentJob>>;  // the oldest first

  static constexpr uint64_t kBetweenNs = 1 * kNsPerMs;
  static constexpr size_t kJobBytesMax = 256 << 10;
  static constexpr size_t kMethodBytesMax = 4 << 20;

  explicit RecentJobs(size_t count) : count_(count) {}

  // Whether the job of this method that is admitted now should be kept once it is answered.
  // Methods have the dispatcher's numbers.
  [[nodiscard]] bool try_choose(uint32_t method, uint64_t now_ns);
  void keep(uint32_t method, RecentJob job);
  // Takes the jobs that `before` has kept of method `its`, as jobs of `method`.
  void adopt(uint32_t method, const RecentJobs& before, uint32_t its);
  const Kept& of(uint32_t method) const;

 private:
  struct OfMethod {
    uint64_t next_ns = 0;  // no job is chosen before
    size_t bytes = 0;      // of all in `kept`
    Kept kept;
  };

  OfMethod& method(uint32_t number);
  void keep(OfMethod& its, std::shared_ptr<const RecentJob> job);

  size_t count_;
  std::vector<OfMethod> methods_;  // by number, up to the last that had a job
};

}  // namespace ringmaster::master
