// Confinement: what a worker or canary gives up before it runs a handler's code. The master sends
// it to the fork server (control.h), and each process that the fork server forks applies it.
// In inline mode, for debuggers, there is no confinement: the fork server is the only worker, see
// forkserver.h.
#pragma once

#include <cstdint>

namespace ringmaster::ipc {

enum class Sandbox : uint32_t {
  kOff,
  kBestEffort,  // a step that this system refuses is skipped and reported
  kFull,        // a step that this system refuses fails the start
};

struct Confinement {
  Sandbox sandbox = Sandbox::kFull;
  uint32_t changes_user = 0;  // 1: the master is root, the workers become the user below
  uint32_t user_id = 0;
  uint32_t group_id = 0;
  uint32_t is_inline = 0;    // 1: the fork server forks nothing; then the sandbox is off
  uint32_t keeps_spare = 0;  // 1: a spare worker stands by, see forkserver.h
};

}  // namespace ringmaster::ipc
