// How much memory a worker has taken since its fork.
//
// Source: https://docs.kernel.org/filesystems/proc.html, /proc/PID/statm. Cheap, unlike smaps: the
// kernel has these counts at hand, however much memory there is.
#pragma once

#include <cstdint>

namespace ringmaster::master {

// By how many bytes the resident anonymous memory of the worker exceeds its fork server's: a model
// that they share does not count. 0 when one of them is gone.
uint64_t grown_bytes(int32_t worker_pid, int32_t fork_server_pid);

}  // namespace ringmaster::master
