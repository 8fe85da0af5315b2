// Handler: a loaded shared object with the ABI of include/ringmaster/handler.h.
//
// Processes: loaded by the fork server, before it forks; run by the workers. `ringmaster run` does
//            both in one process.
// Threads:   a handler leaves none running: HandlerLoader checks.
// Memory:    the handler's state lives until this object is destroyed, in each process separately.
#pragma once

#include <cstdint>
#include <memory>
#include <ringmaster/handler.h>
#include <span>
#include <string>

#include "base/status.h"
#include "ipc/handler_spec.h"
#include "worker/description.h"

namespace ringmaster::worker {

class Handler {
 public:
  // Opens the library, checks its ABI version, loads it with its options, checks its description
  // and warms it up. An error names the handler and the fault. A C++ exception out of one of the
  // handler's functions, which the ABI forbids, is such a fault.
  [[nodiscard]] static Result<Handler> load(const ipc::HandlerSpec& spec);

  const std::string& name() const { return name_; }

  const Description& description() const { return description_; }

  bool is_debugged() const { return is_debugged_; }  // HandlerSpec::debug

  // The library's handle of dlopen(3), the same for all its handlers; the library's functions.
  const void* library() const { return library_.get(); }
  const rm_handler& functions() const { return *handler_; }

  bool has_self_test() const { return handler_->self_test != nullptr; }
  // REQUIRES: has_self_test(). Called in a canary: see canary.h.
  [[nodiscard]] Status self_test() const;

  bool has_interrupt() const { return handler_->interrupt != nullptr; }
  // REQUIRES: has_interrupt().
  void interrupt() const { handler_->interrupt(self_.get()); }
  // Does nothing if the handler has no write_stack().
  void write_stack(int fd) const;
  // See rm_handler. Returns 0 if the handler has no frames of its own.
  size_t frames(const void*& place, uintptr_t stack_pointer, std::span<uint64_t> frames) const;
  // The name of a function. Empty: the handler knows no function by this number.
  std::string frame_name(uint64_t frame) const;

  // The handler whose run() this process executes; null: none. For signal handlers.
  static const Handler* running();

  // The ABI forbids exceptions: a std::exception fails the unanswered jobs, any other ends the
  // worker.
  void run(const rm_host& host, const rm_job* jobs, size_t count) const;

 private:
  struct CloseLibrary {
    void operator()(void* library) const;
  };
  struct Unload {
    const rm_handler* handler;
    void operator()(void* self) const;
  };

  Handler() : self_(nullptr, Unload{nullptr}) {}

  std::string name_;
  Description description_;
  std::unique_ptr<void, CloseLibrary> library_;
  const rm_handler* handler_ = nullptr;  // in the library
  std::unique_ptr<void, Unload> self_;   // destroyed before the library is closed
  bool is_debugged_ = false;
};

}  // namespace ringmaster::worker
