// UvHandle: owns a libuv handle. libuv uses a handle's memory until the close callback has run, so
// that callback frees the memory.
//
// Threads: the loop's only. May be destroyed at any time, also inside the handle's own callback.
#pragma once

#include <memory>
#include <uv.h>

#include "base/assert.h"

namespace ringmaster {

struct CloseHandle {
  template <class Handle>
  void operator()(Handle* handle) const {
    uv_close(reinterpret_cast<uv_handle_t*>(handle),
             [](uv_handle_t* closed) { delete reinterpret_cast<Handle*>(closed); });
  }
};

template <class Handle>
using UvHandle = std::unique_ptr<Handle, CloseHandle>;

// A handle set up by `init(loop, handle, arguments...)`. REQUIRES: init cannot fail.
template <class Handle, class Init, class... Arguments>
UvHandle<Handle> make_handle(uv_loop_t* loop, void* data, Init init, Arguments... arguments) {
  auto handle = std::make_unique<Handle>();
  RM_ASSERT(init(loop, handle.get(), arguments...) == 0);
  handle->data = data;
  return UvHandle<Handle>(handle.release());
}

}  // namespace ringmaster
