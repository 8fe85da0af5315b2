#include "handlers/python/arenas.h"

#include "handlers/python/ref.h"

namespace ringmaster::python {
namespace {

PyObjectArenaAllocator system_allocator;
void* kept[kKeptMax];
size_t kept_count = 0;
size_t kept_bytes = 0;  // the size of each: all of Python's arenas have the same size

void* allocate(void*, size_t size) {
  if (kept_count > 0 && size == kept_bytes) return kept[--kept_count];
  return system_allocator.alloc(system_allocator.ctx, size);
}

void release(void*, void* arena, size_t size) {
  if (kept_count == kKeptMax || (kept_count > 0 && size != kept_bytes))
    return system_allocator.free(system_allocator.ctx, arena, size);
  kept_bytes = size;
  kept[kept_count++] = arena;
}

}  // namespace

void keep_arenas() {
  PyObject_GetArenaAllocator(&system_allocator);
  PyObjectArenaAllocator keeping = {nullptr, allocate, release};
  PyObject_SetArenaAllocator(&keeping);
}

}  // namespace ringmaster::python
