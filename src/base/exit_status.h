// How a process ended, for people: "exit 78", "SIGKILL".
#pragma once

#include <cstdint>
#include <string>

namespace ringmaster {

// `signal`: the signal that ended the process; 0: it exited.
std::string describe_exit(int64_t exit_code, int signal);

// The same for a status as waitpid(2) gives it.
std::string describe_exit(int wait_status);

}  // namespace ringmaster
