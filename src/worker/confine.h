// confine(): a child of the fork server gives up what no handler needs: root's identity, and then
// what the sandbox takes.
#pragma once

#include <string>
#include <sys/types.h>

#include "base/status.h"
#include "ipc/confinement.h"

namespace ringmaster::worker {

// For good; after everything that needs the fork server's user was opened. Returns the steps of the
// sandbox that this system refuses, as text for people; empty: none. Fails where one is refused
// without Sandbox::kBestEffort, or where the user cannot be changed.
[[nodiscard]] Result<std::string> confine(const ipc::Confinement& confinement, pid_t fork_server);

}  // namespace ringmaster::worker
