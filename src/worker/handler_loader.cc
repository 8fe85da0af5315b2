#include "worker/handler_loader.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <dlfcn.h>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <set>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ringmaster::worker {
namespace {

size_t thread_count() {
  std::error_code error;
  const auto tasks = std::filesystem::directory_iterator("/proc/self/task", error);
  return static_cast<size_t>(std::distance(begin(tasks), end(tasks)));
}

// The children of all threads, some of them twice: a thread may end meanwhile.
std::vector<pid_t> find_children() {
  std::vector<pid_t> found;
  std::error_code error;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", error)) {
    std::ifstream file(task.path() / "children");
    found.insert(found.end(), std::istream_iterator<pid_t>(file), {});
  }
  return found;
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

HandlerLoader::HandlerLoader()
    : threads_at_start_(thread_count()), children_at_start_(find_children()) {
  ::setenv("OMP_NUM_THREADS", "1", 1);
  // A subreaper inherits the processes that its dead children have started. If a shell exec'ed this
  // process, the shell's children are its children: end_children() would also kill what those
  // started.
  if (children_at_start_.empty()) ::prctl(PR_SET_CHILD_SUBREAPER, 1);
}

HandlerLoader::~HandlerLoader() {
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}

size_t HandlerLoader::end_children() const {
  std::set<pid_t> ended;
  while (true) {
    const size_t before = ended.size();
    for (const pid_t child : find_children()) {
      if (std::ranges::count(children_at_start_, child) > 0 || !ended.insert(child).second)
        continue;
      if (::kill(child, SIGKILL) != 0) continue;  // another user's process
      // (__WALL: a child of clone(2) may send no signal at its end.)
      while (::waitpid(child, nullptr, __WALL) < 0 && errno == EINTR) {
      }
    }
    if (ended.size() == before) return before;
  }
}

Status HandlerLoader::refuse_processes(const std::string& handler, std::string_view after) const {
  const size_t children = end_children();
  if (children == 0) return {};
  return fail(ExitCode::kConfig,
              fmt::format("handler {}: left {} processes after {}, expected none: end each "
                          "process that it starts, and wait for its end",
                          handler, children, after));
}

Result<Handler> HandlerLoader::load(const ipc::HandlerSpec& spec) const {
  const pid_t loader = ::getpid();
  Result<Handler> handler = Handler::load(spec);
  // A child that load() has forked must not go on as a second fork server.
  if (::getpid() != loader) ::_exit(static_cast<int>(ExitCode::kInternal));
  const Status alone = refuse_processes(spec.name, "load()");
  if (!handler) return handler;
  if (!alone) return tl::unexpected(alone.error());
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
