#include "worker/handler_loader.h"

#include <cstdlib>
#include <dlfcn.h>
#include <filesystem>
#include <fmt/format.h>
#include <sys/types.h>
#include <unistd.h>

#include "worker/child.h"

namespace ringmaster::worker {
namespace {

size_t thread_count() {
  std::error_code error;
  const auto tasks = std::filesystem::directory_iterator("/proc/self/task", error);
  return static_cast<size_t>(std::distance(begin(tasks), end(tasks)));
}

// Ends an OpenMP runtime's thread pool: after a fork the child would wait for threads that do not
// exist in it.
void pause_openmp() {
  void* library = ::dlopen("libgomp.so.1", RTLD_NOW | RTLD_NOLOAD);
  if (library == nullptr) return;
  using Pause = int (*)(int);
  if (const auto pause = reinterpret_cast<Pause>(::dlsym(library, "omp_pause_resource_all"))) {
    constexpr int kOmpPauseHard = 2;
    pause(kOmpPauseHard);
  }
  ::dlclose(library);
}

}  // namespace

HandlerLoader::HandlerLoader() : threads_at_start_(thread_count()) {
  ::setenv("OMP_NUM_THREADS", "1", 1);
}

Result<Handler> HandlerLoader::load(const ipc::HandlerSpec& spec) const {
  const pid_t loader = ::getpid();
  Result<Handler> handler = Handler::load(spec);
  // A child that the handler has forked: it must not go on as a second fork server.
  if (::getpid() != loader) ::_exit(static_cast<int>(ExitCode::kInternal));
  const size_t children = end_children();
  if (!handler) return handler;
  if (children > 0) {
    return fail(ExitCode::kConfig,
                fmt::format("handler {}: left {} processes after load(), expected none: end what "
                            "it starts, and wait for it",
                            spec.name, children));
  }
  pause_openmp();
  if (const size_t threads = thread_count(); threads > threads_at_start_) {
    return fail(ExitCode::kConfig,
                fmt::format("handler {}: left {} threads running after load(), expected none: a "
                            "process with threads cannot be forked safely",
                            spec.name, threads - threads_at_start_));
  }
  return handler;
}

}  // namespace ringmaster::worker
