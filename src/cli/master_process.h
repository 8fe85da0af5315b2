// MasterProcess: a running master, as another process of the host sees it.
#pragma once

#include <utility>

#include "base/fd.h"
#include "base/status.h"

namespace ringmaster::cli {

class MasterProcess {
 public:
  // Fails (71) when there is no such process, or when it is no ringmaster master: SIGHUP would end
  // most other processes.
  static Result<MasterProcess> find(int pid);

  // Sends SIGHUP, but never to another process that got the pid since.
  [[nodiscard]] Status reload() const;

 private:
  MasterProcess(int pid, Fd handle) : pid_(pid), handle_(std::move(handle)) {}

  int pid_;
  Fd handle_;
};

}  // namespace ringmaster::cli
