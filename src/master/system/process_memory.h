// How much memory a process has, and how much a worker has taken since its fork.
//
// Source: https://docs.kernel.org/filesystems/proc.html, /proc/PID/statm. Cheap, unlike smaps: the
// kernel keeps these counts, so the cost does not grow with the memory.
#pragma once

#include <cstdint>

namespace ringmaster::master {

// The resident memory of this process. 0: it is gone.
uint64_t resident_bytes(int32_t pid);

// By how many bytes the resident anonymous memory of the worker exceeds its fork server's: a shared
// model does not count. 0 when one of the processes is gone.
uint64_t grown_bytes(int32_t worker_pid, int32_t fork_server_pid);

}  // namespace ringmaster::master
