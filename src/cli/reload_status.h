// ask_reload_status(): what a server's status port says at /reloads (master/admin/reload_record.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"

namespace ringmaster::cli {

struct EndedReload {
  uint64_t number;
  uint64_t generation;  // the generation that serves since then
  std::string failure;  // empty: it succeeded
};

struct ReloadStatus {
  int pid;
  std::string configuration;  // the absolute path of the file
  std::string state;
  uint64_t begun;
  std::vector<EndedReload> ended;  // only the last ones; the oldest first
};

// Blocks for 10 s at most. Fails (71) and names the address if no server listens there, if the
// server does not answer in time, or if the answer is not that of GET /reloads.
Result<ReloadStatus> ask_reload_status(const std::string& address);

}  // namespace ringmaster::cli
