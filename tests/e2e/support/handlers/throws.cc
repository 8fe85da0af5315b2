// A handler that lets an exception out, which the ABI forbids.
#include <ringmaster/handler.h>
#include <stdexcept>

namespace {

int load(const rm_option*, size_t, void**, char*, size_t) {
  return 0;
}

void run(void*, const rm_host*, const rm_job*, size_t) {
  throw std::runtime_error("expected nobody to throw this");
}

const rm_handler kHandler = {RINGMASTER_HANDLER_ABI, load, nullptr, run, nullptr, nullptr, nullptr};

}  // namespace

const rm_handler* ringmaster_handler() {
  return &kHandler;
}
