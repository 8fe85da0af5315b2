// The thread's time slice: how long it may run while others wait for the CPU.
//
// Since Linux 6.12 a thread that is woken runs at once in place of one with longer slices, and need
// not wait until that one's slice, of up to 3 ms, has ended. Short slices do not give a thread a
// larger part of the CPU. Older kernels ignore them.
// Source: sched_setattr(2): sched_runtime, SCHED_FLAG_RESET_ON_FORK.
#pragma once

namespace ringmaster {

// Gives the calling thread the shortest slices, of 0.1 ms. The threads and processes that it starts
// have the default again. Does nothing if the thread is not of the policy SCHED_OTHER, or has a
// negative nice value, which those threads and processes would lose; or if the system refuses it.
void use_short_time_slices();

}  // namespace ringmaster
