// confine(): a child of the fork server gives up root's identity, then enters the sandbox.
#pragma once

#include <string>
#include <sys/types.h>

#include "base/status.h"
#include "ipc/confinement.h"

namespace ringmaster::worker {

// Irreversible; call after all files that need the fork server's user were opened. Returns the
// steps of the sandbox that this system refuses, as text for people; empty: none. Fails if a step
// is refused without Sandbox::kBestEffort, or if the user cannot be changed.
[[nodiscard]] Result<std::string> confine(const ipc::Confinement& confinement, pid_t fork_server);

}  // namespace ringmaster::worker
