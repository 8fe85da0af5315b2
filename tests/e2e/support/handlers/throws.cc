// A handler that lets exceptions out, which the ABI forbids. Option: where, the function that
// throws; run() throws always.
#include <ringmaster/handler.h>
#include <stdexcept>
#include <string_view>

namespace {

std::string_view where;

void throw_in(std::string_view function) {
  if (function == where) throw std::runtime_error("expected nobody to throw this");
}

int load(const rm_option* options, size_t count, void**, char*, size_t) {
  if (count > 0) where = options[0].value;
  if (where == "load, a number") throw 7;
  throw_in("load");
  return 0;
}

int warm_up(void*, char*, size_t) {
  throw_in("warm_up");
  return 0;
}

int self_test(void*, char*, size_t) {
  throw_in("self_test");
  return 0;
}

const char* describe(void*) {
  throw_in("describe");
  return nullptr;
}

void run(void*, const rm_host*, const rm_job*, size_t) {
  throw std::runtime_error("expected nobody to throw this");
}

const rm_handler kHandler = {
    RINGMASTER_HANDLER_ABI, load, warm_up, run, nullptr, self_test, describe};

}  // namespace

const rm_handler* ringmaster_handler() {
  return &kHandler;
}
