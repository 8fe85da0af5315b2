// python: runs a function or class of Python. docs/python.md says how to write one.
//
// Options: python: "ABSOLUTE_FILE.py:NAME" or "MODULE:NAME"; venv: the folder of a virtual
//          environment, empty for none; further keys go to the class, which must read all of them.
// Errors:  RM_INVALID_PARAMS and RM_UPSTREAM_FAILED for arguments that are missing or no JSON; the
//          code of a raised ringmaster.Error; RM_HANDLER_FAILED for other exceptions.
#include <cstdio>
#include <ringmaster/handler.h>

#include "handlers/python/code_frames.h"
#include "handlers/python/interpreter.h"
#include "handlers/python/python_handler.h"

namespace {

using ringmaster::python::PythonHandler;

PythonHandler& handler_of(void* self) {
  return *static_cast<PythonHandler*>(self);
}

int result_of(bool is_done, const std::string& fault, char* error, size_t error_size) {
  if (!is_done) std::snprintf(error, error_size, "%s", fault.c_str());
  return is_done ? 0 : 1;
}

int load(const rm_option* options, size_t option_count, void** self, char* error,
         size_t error_size) {
  std::string fault;
  *self = PythonHandler::load({options, option_count}, fault).release();
  return result_of(*self != nullptr, fault, error, error_size);
}

int warm_up(void* self, char* error, size_t error_size) {
  std::string fault;
  return result_of(handler_of(self).warm_up(fault), fault, error, error_size);
}

int self_test(void* self, char* error, size_t error_size) {
  std::string fault;
  return result_of(handler_of(self).self_test(fault), fault, error, error_size);
}

void run(void* self, const rm_host* host, const rm_job* jobs, size_t count) {
  handler_of(self).run(*host, {jobs, count});
}

void unload(void* self) {
  delete &handler_of(self);
}

const char* describe(void* self) {
  const std::string& description = handler_of(self).description();
  return description.empty() ? nullptr : description.c_str();
}

constexpr rm_handler kHandler = {
    .abi = RINGMASTER_HANDLER_ABI,
    .load = load,
    .warm_up = warm_up,
    .run = run,
    .unload = unload,
    .self_test = self_test,
    .describe = describe,
    .before_fork = ringmaster::python::before_fork,
    .after_fork_parent = ringmaster::python::after_fork_parent,
    .after_fork_child = ringmaster::python::after_fork_child,
    .interrupt = [](void* self) { handler_of(self).interrupt(); },
    .write_stack = [](void*, int fd) { ringmaster::python::write_stack(fd); },
    .frames =
        [](void*, const void** place, uintptr_t stack_pointer, uint64_t* frames,
           size_t frames_max) {
          return ringmaster::python::code_frames(*place, stack_pointer, {frames, frames_max});
        },
    .frame_name =
        [](void*, uint64_t frame, char* name, size_t name_size) {
          const std::string found = ringmaster::python::code_name(frame);
          std::snprintf(name, name_size, "%s", found.c_str());
          return found.empty() ? 1 : 0;
        },
};

}  // namespace

extern "C" __attribute__((visibility("default"))) const rm_handler* ringmaster_handler() {
  return &kHandler;
}
