// The report of a crashing process, which still ends by the signal of its crash.
#include "worker/crash/crash_report.h"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <doctest/doctest.h>
#include <fstream>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <unistd.h>

#include "support.h"

namespace ringmaster::worker {
namespace {

constexpr uint32_t kSlot = 1;

// The shared memory that is still mapped in a worker: its own page only.
std::span<char> find_shared_memory() {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    size_t begin_size = 0;
    const size_t begin = std::stoul(line, &begin_size, 16);
    const size_t end = std::stoul(line.substr(begin_size + 1), nullptr, 16);
    if (line.find(" rw-s ") != std::string::npos)
      return {reinterpret_cast<char*>(begin), end - begin};
  }
  return {};
}

struct End {
  int signal;
  std::string report;
};

void write_nothing(int) {}

// Calls `crash` in a worker. Returns how the worker ended.
End end_of(CrashReports& reports, const std::function<void()>& crash,
           CrashReports::WriteStack write_stack = write_nothing) {
  reports.clear(kSlot);
  test::Child child([&] {
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    for (int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS})
      ::signal(number, SIG_DFL);  // replaces the handlers of the test program or a sanitizer
    if (!reports.report_to(kSlot, write_stack)) return 1;
    crash();
    return 0;
  });
  const int status = child.wait();
  return {WIFSIGNALED(status) ? WTERMSIG(status) : 0, reports.describe(kSlot, status)};
}

// For a signal handler, which may not call dprintf(3).
void put(int fd, std::string_view text) {
  [[maybe_unused]] const ssize_t written = ::write(fd, text.data(), text.size());
}

}  // namespace

TEST_CASE("crash report: there is none without a crash, or after an end by another signal") {
  CrashReports reports;
  REQUIRE(reports.create(3));
  const End killed = end_of(reports, [] { ::kill(::getpid(), SIGKILL); });
  CHECK(killed.signal == SIGKILL);
  CHECK(killed.report.empty());
  const End exited = end_of(reports, [] {});
  CHECK(exited.report.empty());
  CHECK(!end_of(reports, [] { std::abort(); }).report.empty());
  CHECK(reports.describe(kSlot, SIGSEGV).empty());  // the status of a worker that SIGSEGV ended
  CHECK(reports.describe(kSlot - 1, SIGABRT).empty());
  reports.clear(kSlot);
  CHECK(reports.describe(kSlot, SIGABRT).empty());
}

// Waits until the child sleeps in read(2), where it stays.
void wait_until_asleep(pid_t child) {
  std::string line;
  do {
    ::usleep(1000);
    std::ifstream stat("/proc/" + std::to_string(child) + "/stat");
    line.clear();
    std::getline(stat, line);
  } while (!line.empty() && line[line.rfind(')') + 2] != 'S');
}

TEST_CASE("crash report: a worker that lives tells its stack when it is asked, and goes on" *
          doctest::skip(test::kAreSignalHandlersWrapped)) {
  CrashReports reports;
  REQUIRE(reports.create(3));
  reports.clear(kSlot);
  int ready[2], goes_on[2];
  REQUIRE(::pipe(ready) == 0);
  REQUIRE(::pipe(goes_on) == 0);
  test::Child child([&] {
    ::signal(SIGSEGV, SIG_DFL);  // replaces other handlers: CrashReports needs the faults
    const auto write_stack = [](int fd) { put(fd, "Python:\n  line 7"); };
    if (!reports.report_to(kSlot, write_stack)) return 1;
    put(ready[1], "r");
    char byte = 0;
    return ::read(goes_on[0], &byte, 1) == 1 ? 7 : 2;  // SA_RESTART: the signal does not end read()
  });
  char byte = 0;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  wait_until_asleep(child.pid());
  for (int i = 0; i < 2; ++i) {
    reports.ask_stack(kSlot, child.pid());
    std::optional<std::string> stack;
    const test::Deadline deadline;
    while (!(stack = reports.try_take_stack(kSlot)) && !deadline.is_over())
      ::usleep(1000);
    REQUIRE(stack);
    CHECK(stack->find("read") != std::string::npos);
    CHECK(!stack->starts_with('\n'));
    CHECK(stack->ends_with("\n\nPython:\n  line 7"));
  }
  CHECK(reports.describe(kSlot, SIGSEGV).empty());  // a stack that was asked for is no crash
  put(goes_on[1], "g");
  CHECK(child.exit_code() == 7);
  for (const int fd : {ready[0], ready[1], goes_on[0], goes_on[1]})
    ::close(fd);
}

// Damages the caller's frame pointer, so that the unwinder reads where nothing is mapped.
[[gnu::noinline]] void ask_with_a_wrong_frame() {
  auto* const frame = static_cast<void**>(__builtin_frame_address(0));
  void* const callers = frame[0];
  frame[0] = reinterpret_cast<void*>(uintptr_t{8});
  ::raise(CrashReports::signal_to_ask());
  frame[0] = callers;
}
[[gnu::noinline]] bool ask_and_return() {
  void* volatile const frame = __builtin_frame_address(0);  // so that this function has one
  ask_with_a_wrong_frame();
  return frame == __builtin_frame_address(0);
}

TEST_CASE("crash report: a worker whose stack cannot be walked tells what it has, and goes on" *
          doctest::skip(test::kAreSignalHandlersWrapped)) {
  CrashReports reports;
  REQUIRE(reports.create(3));
  reports.clear(kSlot);
  test::Child child([&] {
    ::signal(SIGSEGV, SIG_DFL);
    if (!reports.report_to(kSlot, [](int fd) { put(fd, "Python"); })) return 1;
    return ask_and_return() ? 7 : 2;
  });
  CHECK(child.exit_code() == 7);
  CHECK(reports.try_take_stack(kSlot) == "\nPython");
}

TEST_CASE(
    "crash report: after a call that was tried within another one, the "
    "outer call is still guarded") {
  CrashReports reports;
  REQUIRE(reports.create(3));
  const End end = end_of(reports, [] {
    const bool is_whole = CrashReports::try_call([] {
      CrashReports::try_call([] {});
      *static_cast<volatile int*>(nullptr) = 1;
    });
    if (!is_whole) std::abort();
  });
  CHECK(end.signal == SIGABRT);
}

TEST_CASE("crash report: a crash after a stack was asked for has its own frames only") {
  CrashReports reports;
  REQUIRE(reports.create(3));
  const auto crash = [] {
    ::raise(CrashReports::signal_to_ask());
    std::abort();
  };
  const End end = end_of(reports, crash, [](int fd) { put(fd, "Python"); });
  CHECK(end.signal == SIGABRT);
  CHECK(end.report.find("abort") != std::string::npos);
}

TEST_CASE("crash report: a signal that has a handler already keeps this handler") {
  CrashReports reports;
  REQUIRE(reports.create(3));
  test::Child child([&] {
    for (int number : {SIGSEGV, SIGABRT})
      ::signal(number, [](int) { ::_exit(7); });
    if (!reports.report_to(kSlot, write_nothing)) return 1;
    ::raise(SIGSEGV);
    return 0;
  });
  CHECK(child.exit_code() == 7);
}

TEST_CASE("crash report: the stack of the handler's own language follows the frames") {
  CrashReports reports;
  REQUIRE(reports.create(3));
  const auto report_with = [&](CrashReports::WriteStack write_stack) {
    const End end = end_of(
        reports, [] { std::abort(); }, write_stack);
    CHECK(end.signal == SIGABRT);
    return end.report;
  };
  const std::string without = report_with(write_nothing);
  const std::string with = report_with([](int fd) { put(fd, "in f()\n\x1b in g()\n\n"); });
  CHECK(with.ends_with("\n\nin f()\n? in g()"));
  CHECK(std::ranges::count(with, '\n') == std::ranges::count(without, '\n') + 3);
  const std::string much = report_with([](int fd) {
    for (int i = 0; i < 100'000; ++i)
      put(fd, "x");
  });
  CHECK(much.ends_with("\n\n" + std::string(CrashReports::kStackBytesMax, 'x')));
}

TEST_CASE("crash report: a crash in WriteStack leaves the report of the first crash") {
  CrashReports reports;
  REQUIRE(reports.create(3));
  const End end = end_of(
      reports, [] { std::abort(); }, [](int) { std::abort(); });
  CHECK(end.signal == SIGABRT);
  CHECK(end.report.starts_with("sent by process "));
}

TEST_CASE("crash report: a worker can spoil no report but its own") {
  CrashReports reports;
  REQUIRE(reports.create(3));
  const End end = end_of(reports, [] {
    if (find_shared_memory().size() == static_cast<size_t>(::sysconf(_SC_PAGESIZE))) std::abort();
  });
  CHECK(end.signal == SIGABRT);
}

TEST_CASE("crash report: whatever count of frames a worker writes, only its page is read") {
  CrashReports reports;
  REQUIRE(reports.create(3));
  const End end = end_of(reports, [] {
    const std::span<char> page = find_shared_memory();
    std::memset(page.data(), 0xff, page.size());
    const int32_t signal = SIGKILL;  // the report's first field
    std::memcpy(page.data(), &signal, sizeof signal);
    ::kill(::getpid(), SIGKILL);
  });
  CHECK(end.signal == SIGKILL);
  CHECK(end.report.starts_with("sent by process "));
}

TEST_CASE("crash report: a fault in a call that is tried ends the call, and not the process") {
  CrashReports reports;
  REQUIRE(reports.create(3));
  const End end = end_of(reports, [] {
    for (int i = 0; i < 3; ++i) {
      if (CrashReports::try_call([] { *static_cast<volatile int*>(nullptr) = 1; })) return;
      if (!CrashReports::try_call([] {})) return;
    }
    std::abort();
  });
  CHECK(end.signal == SIGABRT);
  CHECK(end.report.starts_with("sent by process "));
}

TEST_CASE("crash report: a fault after a tried call has returned is a crash") {
  CrashReports reports;
  REQUIRE(reports.create(3));
  const End end = end_of(reports, [] {
    CrashReports::try_call([] {});
    *static_cast<volatile int*>(nullptr) = 1;
  });
  CHECK(end.signal == SIGSEGV);
  CHECK(end.report.starts_with("SEGV_MAPERR at 0x0"));
}

TEST_CASE("crash report: no call is tried if SIGSEGV has another handler") {
  CrashReports reports;
  REQUIRE(reports.create(3));
  test::Child child([&] {
    ::signal(SIGSEGV, SIG_DFL);
    if (!reports.report_to(kSlot, write_nothing)) return 1;
    ::signal(SIGSEGV, [](int) { ::_exit(7); });
    return CrashReports::try_call([] { ::_exit(2); }) ? 3 : 0;
  });
  CHECK(child.exit_code() == 0);
}

}  // namespace ringmaster::worker
