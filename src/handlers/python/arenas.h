// Arenas: keeps some of the memory of freed Python objects for the next job.
//
// Python gives an arena (1 MiB) back to the system once no object is in it. Then the objects of the
// next large job lie on new pages, which take several times as long as the objects themselves.
// Processes: the workers only. If the fork server kept arenas, each worker would inherit them.
// Limits:    kKeptMax arenas.
#pragma once

#include <cstddef>

namespace ringmaster::python {

inline constexpr size_t kKeptMax = 16;

// Keeps arenas that are released from now on, also arenas that are in use now.
void keep_arenas();

}  // namespace ringmaster::python
