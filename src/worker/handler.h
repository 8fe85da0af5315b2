// Handler: a loaded shared object that speaks the ABI of include/ringmaster/handler.h.
//
// Processes: loaded by the fork server, before it forks; run by the workers.
// Threads:   none of its own: the fork server checks.
// Memory:    what load() built lives until this object is destroyed, in each process for itself.
#pragma once

#include <memory>
#include <ringmaster/handler.h>
#include <string>

#include "base/status.h"
#include "ipc/handler_spec.h"
#include "worker/description.h"

namespace ringmaster::worker {

class Handler {
 public:
  // Opens the library, checks its ABI version and its description, loads it with its options and
  // warms it up.
  // An error names the handler and what is wrong with it.
  [[nodiscard]] static Result<Handler> load(const ipc::HandlerSpec& spec);

  const std::string& name() const { return name_; }

  const Description& description() const { return description_; }

  bool has_self_test() const { return handler_->self_test != nullptr; }
  // Only where there is one. See canary.h for the process to call it in.
  [[nodiscard]] Status self_test() const;

  // A std::exception that the handler lets out, which the ABI forbids, is answered as its failure.
  // Anything else that is thrown ends the worker.
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
};

}  // namespace ringmaster::worker
