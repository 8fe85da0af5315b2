// Sampler: a worker notes its own stack from time to time, for the tail profile.
//
// A timer ticks each ipc::kSamplePeriodNs of CPU time of the worker's thread. So a worker that
// waits costs nothing, and no system call is made for a job. The master reads the samples of a job
// only if it was slow, failed, or is one of a few normal ones: see master/pipeline/tail_profile.h.
// Processes: a worker; its own thread only. A handler's other threads are not sampled.
// Signals:   kSampleSignal, with SA_RESTART. The clock does not run while the thread sleeps, so a
//            sleeping thread is not interrupted. A call that is just about to sleep may be.
// Death:     see ipc/sample_ring.h. A stack that cannot be read ends the walk, not the worker: see
//            CrashReports::try_call().
// Limits:    after each 16 samples of a job the next ones stand for twice as many ticks, so that
//            even a job of seconds has samples from its begin to its end.
#pragma once

#include <csignal>
#include <cstdint>
#include <optional>

#include "base/status.h"
#include "ipc/sample_ring.h"

namespace ringmaster::worker {

// SIGRTMAX is the overrun timer's.
inline const int kSampleSignal = SIGRTMAX - 1;

// The publication that the worker is at; empty: none. Called in the signal handler.
using JobAtWork = std::optional<ipc::Publication> (*)();

// From now on this thread is sampled. `outermost`: the frame address of a function; the frames of
// its callers are not noted. `ring` must outlive the process.
[[nodiscard]] Status start_sampling(ipc::SampleRing& ring, JobAtWork job_at_work,
                                    const void* outermost);

}  // namespace ringmaster::worker
