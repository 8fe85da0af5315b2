// CrashRecorder: logs a job that used up its attempts because its workers died, and keeps it, so
// that a person can run it again: see crash_store.h. It also keeps slow jobs.
//
// Processes: the master only. Files are written in libuv's pool, one of each kind at a time; the
//            loop only copies the payload.
// Death:     once this object is destroyed, the loop's last turns still write the jobs that wait.
// Limits:    for each kind, at most crashes.total_bytes wait to be written; beyond that a job is
//            not kept, and its payload is not copied. At most one slow job of each method is kept
//            in kSlowNs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <uv.h>

#include "base/clock.h"
#include "config/options.h"
#include "ipc/payload_store.h"
#include "master/pipeline/job.h"

namespace ringmaster::master {

class CrashRecorder {
 public:
  static constexpr uint64_t kSlowNs = 1 * kNsPerS;

  // `options` and `store` must live as long as this.
  CrashRecorder(uv_loop_t* loop, const Options& options, const ipc::PayloadStore& store);
  ~CrashRecorder();
  CrashRecorder(const CrashRecorder&) = delete;
  CrashRecorder& operator=(const CrashRecorder&) = delete;

  // REQUIRES: the job's last attempt has failed, and its payload is not freed yet.
  void take_crashed(const Job& job);
  // Ignores a job that no worker has begun, and a job whose last step was a fetch: neither has a
  // run to repeat. REQUIRES: its payload is not freed yet.
  void take_slow(const Job& job);

 private:
  class Writer;
  struct Kept;

  void keep(const Job& job, Kept kept, Writer& writer) const;

  const Options& options_;
  const ipc::PayloadStore& store_;
  // Null: nothing is kept. A write in progress shares its writer.
  std::shared_ptr<Writer> crashed_;
  std::shared_ptr<Writer> slow_;
  std::unordered_map<const Method*, uint64_t> next_slow_ns_;
};

}  // namespace ringmaster::master
