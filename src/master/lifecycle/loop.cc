#include "master/lifecycle/loop.h"

#include "base/assert.h"

namespace ringmaster::master {
namespace {

// libuv starts its threads with the first work, and aborts if it cannot. A handler could start all
// threads that the user may have, so this work is queued before there are workers.
void start_thread_pool(uv_loop_t* loop) {
  static uv_work_t nothing;
  RM_ASSERT(uv_queue_work(
                loop, &nothing, [](uv_work_t*) {}, nullptr) == 0);
}

}  // namespace

void CloseLoop::operator()(uv_loop_t* loop) const {
  uv_run(loop, UV_RUN_DEFAULT);
  RM_ASSERT(uv_loop_close(loop) == 0);
  delete loop;
}

Result<Loop> make_loop() {
  auto loop = std::make_unique<uv_loop_t>();
  const int error = uv_loop_init(loop.get());
  if (error != 0) return fail_errno("set up the event loop", -error);
  start_thread_pool(loop.get());
  return Loop(loop.release());
}

}  // namespace ringmaster::master
