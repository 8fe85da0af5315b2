// Arenas: keeps some of the memory that Python's objects leave, for the next job.
//
// Python gives an arena, of 1 MiB, back to the system once no object is in it. So the objects of
// each large job lay on new pages, which cost several times what it takes to make the objects.
// Processes: the workers. What the fork server kept, all of them would have.
// Limits:    kKeptMax arenas.
#pragma once

#include <cstddef>

namespace ringmaster::python {

inline constexpr size_t kKeptMax = 16;

// From now on, also those that are in use by then.
void keep_arenas();

}  // namespace ringmaster::python
