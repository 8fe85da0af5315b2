// ask_reload_status(): what a server's status port says at /reloads (master/admin/reload_record.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"

namespace ringmaster::cli {

struct EndedReload {
  uint64_t number;
  uint64_t generation;  // that serves since
  std::string failure;  // empty: it succeeded
};

struct ReloadStatus {
  int pid;
  std::string configuration;  // the absolute path of the file
  std::string state;
  uint64_t begun;
  std::vector<EndedReload> ended;  // the oldest first; not all
};

// Blocking, for 10 s at most. Fails (71), naming the address, when no server is there, when it does
// not answer in time, and when the answer is not what was expected.
Result<ReloadStatus> ask_reload_status(const std::string& address);

}  // namespace ringmaster::cli
