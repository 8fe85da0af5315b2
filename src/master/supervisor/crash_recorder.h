// CrashRecorder: logs a job that used up its attempts because its workers died, and keeps its
// payload, so that a person can run it again: see crash_store.h.
//
// Processes: the master only. Files are written in libuv's pool, one crash at a time; the loop only
//            copies the payload.
// Death:     of this object: the loop's last turns still write the crashes that wait.
// Limits:    at most crashes.total_bytes wait to be written; beyond that a crash is only logged,
//            and its payload is not copied.
#pragma once

#include <memory>
#include <string>
#include <uv.h>
#include <vector>

#include "config/options.h"
#include "ipc/payload_store.h"
#include "master/pipeline/job.h"

namespace ringmaster::master {

class CrashRecorder {
 public:
  // `options` and `store` must live as long as this.
  CrashRecorder(uv_loop_t* loop, const Options& options, const ipc::PayloadStore& store);
  ~CrashRecorder();
  CrashRecorder(const CrashRecorder&) = delete;
  CrashRecorder& operator=(const CrashRecorder&) = delete;

  // REQUIRES: the job's last attempt has failed, and its payload is not freed yet.
  void take(const Job& job);

 private:
  class Writer;

  const Options& options_;
  const ipc::PayloadStore& store_;
  std::shared_ptr<Writer> writer_;  // shared with the write in progress
};

}  // namespace ringmaster::master
