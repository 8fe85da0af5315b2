// Shared bytes as a memoryview: read-only, and without a copy of the job's bytes.
//
// Once a job is answered its memory may be another job's. A handler that keeps a view, or a NumPy
// array made from one, would then read the data of another request. Every object that can still
// read the bytes keeps their exporter (`obj` of a view) alive: count_views() counts the exporters.
#pragma once

#include <string_view>

#include "handlers/python/ref.h"

namespace ringmaster::python {

// Null: a Python exception is set. REQUIRES: the bytes outlive the view: see count_views().
Ref make_view(std::string_view bytes);

// How many exporters are still alive.
size_t count_views();

}  // namespace ringmaster::python
