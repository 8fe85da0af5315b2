// Shared by all tests: children that cannot outlive their test, and deadlines.
#pragma once

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <string_view>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "base/clock.h"
#include "base/fd.h"
#include "temporary_folder.h"

namespace ringmaster::test {

// A test that waits in vain fails after this time. All tests are much shorter.
inline constexpr unsigned kDeadlineS = 60;

// A number from the environment, `usual` if it is not set: how long a test takes.
inline uint64_t from_environment(const char* name, uint64_t usual) {
  const char* text = std::getenv(name);
  return text == nullptr ? usual : std::strtoull(text, nullptr, 10);
}

// Long computations take ten times as long under a sanitizer, which finds there what it finds in
// short ones.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kIsSanitized = true;
#else
inline constexpr bool kIsSanitized = false;
#endif

// ThreadSanitizer calls the signal handlers itself: from frames of its own, and only when the
// thread begins a system call or returns from one.
#if defined(__SANITIZE_THREAD__)
inline constexpr bool kAreSignalHandlersWrapped = true;
#else
inline constexpr bool kAreSignalHandlersWrapped = false;
#endif

inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// For loops that wait for another thread or process.
class Deadline {
 public:
  bool is_over() const { return now_ns() > end_ns_; }

 private:
  uint64_t end_ns_ = now_ns() + kDeadlineS * kNsPerS;
};

// A forked process that runs `body` and exits with its result. SIGALRM ends it after kDeadlineS, so
// that wait() is bounded.
class Child {
 public:
  template <class Body>
  explicit Child(const Body& body) : pid_(::fork()) {
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::alarm(kDeadlineS);
      ::_exit([&]() noexcept -> int { return body(); }());
    }
    REQUIRE(pid_ > 0);
  }
  ~Child() { kill(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }

  // Waits until the child stops or ends; returns the status of waitpid(2).
  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, WUNTRACED) < 0 && errno == EINTR) {
    }
    if (!WIFSTOPPED(status)) pid_ = 0;
    return status;
  }
  bool was_stopped() { return WIFSTOPPED(wait()); }
  // -1: a signal ended the child.
  int exit_code() {
    const int status = wait();
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  // The signal that ended the child, or 0.
  int signal() {
    const int status = wait();
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    while (pid_ > 0)
      wait();
  }

 private:
  pid_t pid_;
};

// Whether `body` breaks an RM_ASSERT, in a child whose stderr is discarded.
template <class Body>
bool is_broken_invariant(const Body& body) {
  Child child([&] {
    ::dup2(Fd(::open("/dev/null", O_WRONLY)).get(), STDERR_FILENO);
    ::signal(SIGABRT, SIG_DFL);  // not doctest's handler, which would report it
    body();
    return 0;
  });
  return child.signal() == SIGABRT;
}

}  // namespace ringmaster::test
