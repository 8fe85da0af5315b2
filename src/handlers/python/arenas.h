// Arenas: keeps some of the memory that Python's objects leave, for the next job.
//
// Python gives an arena (1 MiB) back to the system once no object is in it. Without this, the
// objects of each large job would lie on new pages, which cost several times what the objects cost.
// Processes: the workers only. If the fork server kept arenas, each worker would inherit them.
// Limits:    kKeptMax arenas.
#pragma once

#include <cstddef>

namespace ringmaster::python {

inline constexpr size_t kKeptMax = 16;

// Keeps arenas that are released from now on, also arenas that are in use now.
void keep_arenas();

}  // namespace ringmaster::python
