#include "worker/crash/crash_report.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <cstring>
#include <execinfo.h>
#include <fmt/format.h>
#include <string_view>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/crash/interrupted.h"

namespace ringmaster::worker {
namespace {

constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS};

// The innermost frames are skipped: the signal handler and the kernel's trampoline.
constexpr size_t kOwnFrames = 2;

constexpr size_t kStackBytes = 64 << 10;

struct Report {
  std::atomic<int32_t> signal;        // stored after the code and the address
  int32_t code;                       // as in siginfo_t
  uint64_t address;                   // of the fault, or (code <= 0) the pid of the sender
  std::atomic<uint32_t> frame_count;  // stored after the frames
  void* frames[CrashReports::kFramesMax + kOwnFrames];
  std::atomic<uint32_t> stack_bytes;  // stored after the text
  char stack[CrashReports::kStackBytesMax];
  std::atomic<uint32_t> is_told;  // the answer to ask_stack() is there; stored after all the above
};
static_assert(std::atomic<int32_t>::is_always_lock_free);

size_t page_bytes() {
  return static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

Report& report_of(std::span<std::byte> pages, uint32_t slot) {
  return *reinterpret_cast<Report*>(pages.data() + slot * page_bytes());
}

Report* the_report = nullptr;
CrashReports::WriteStack the_write_stack = nullptr;
// Where execution goes on after a fault inside try_call(). Null: a fault is a crash.
thread_local sigjmp_buf* volatile the_refuge = nullptr;
alignas(64) char the_stack[kStackBytes];  // for a signal after a stack overflow

// Passes the text through a file in memory, since a pipe could be full. Only system calls.
void keep_stack(Report& report) {
  const int fd = ::memfd_create("stack", MFD_CLOEXEC);
  if (fd < 0) return;
  the_write_stack(fd);
  const ssize_t size = ::pread(fd, report.stack, sizeof report.stack, 0);
  report.stack_bytes.store(size > 0 ? static_cast<uint32_t>(size) : 0, std::memory_order_release);
  ::close(fd);
}

// The stack that on_asked() has walked. Its first frames are those of the walk itself.
struct Walk {
  void* frames[CrashReports::kFramesMax + 8];
  int count;
} the_walk;

// Stores the frames of the interrupted code, without the signal handler's own. A fault in the
// unwinder must not end a healthy worker.
void walk_interrupted(Report& report, uintptr_t instruction) {
  report.frame_count = 0;
  const bool is_whole = CrashReports::try_call([] {
    the_walk.count = ::backtrace(the_walk.frames, static_cast<int>(std::size(the_walk.frames)));
  });
  if (!is_whole) return;
  void** const end = the_walk.frames + the_walk.count;
  void** const first = std::find(the_walk.frames, end, reinterpret_cast<void*>(instruction));
  const auto count = std::min<size_t>(static_cast<size_t>(end - first), CrashReports::kFramesMax);
  std::copy_n(first, count, report.frames + kOwnFrames);
  report.frame_count = static_cast<uint32_t>(kOwnFrames + count);
}

// Calls only async-signal-safe functions.
void on_asked(int, siginfo_t*, void* context) {
  const int error = errno;
  Report& report = *the_report;
  report.stack_bytes = 0;
  walk_interrupted(report, interrupted_at(context));
  keep_stack(report);
  report.is_told.store(1, std::memory_order_release);
  errno = error;
}

// Calls only async-signal-safe functions.
void on_crash(int signal, siginfo_t* info, void*) {
  // Only a fault has a code above 0.
  if (the_refuge != nullptr && info->si_code > 0) siglongjmp(*the_refuge, 1);
  // From here on a second crash, in this function or another thread, ends the process at once.
  for (const int number : kSignals)
    ::signal(number, SIG_DFL);
  Report& report = *the_report;
  report.frame_count = 0;  // on_asked() may have set it and stack_bytes
  report.stack_bytes = 0;
  report.code = info->si_code;
  report.address = info->si_code > 0 ? reinterpret_cast<uint64_t>(info->si_addr)
                                     : static_cast<uint64_t>(info->si_pid);
  report.signal.store(signal, std::memory_order_release);
  const int frames = ::backtrace(report.frames, static_cast<int>(std::size(report.frames)));
  report.frame_count.store(static_cast<uint32_t>(frames), std::memory_order_release);
  keep_stack(report);
  // The signal is blocked until we return: its default action then happens at the place of the
  // crash.
  ::syscall(SYS_rt_tgsigqueueinfo, ::getpid(), ::gettid(), signal, info);
}

// The worker can write anything in its page, so all fields are checked where possible.
std::span<void* const> frames_of(const Report& report) {
  const size_t count = std::min<size_t>(report.frame_count.load(std::memory_order_acquire),
                                        std::size(report.frames));
  return std::span(report.frames, count).subspan(std::min(count, kOwnFrames));
}

std::string_view stack_of(const Report& report) {
  return {report.stack, std::min<size_t>(report.stack_bytes.load(std::memory_order_acquire),
                                         std::size(report.stack))};
}

// The lines of a handler's stack, as text for a log: the worker can have written any bytes.
std::string lines_of(std::string_view stack) {
  std::string lines;
  for (const char c : stack)
    lines += c == '\n' || static_cast<unsigned char>(c) >= ' ' ? c : '?';
  while (lines.ends_with('\n'))
    lines.pop_back();
  return lines.empty() ? lines : "\n\n" + lines;
}

// "SEGV_MAPERR at 0x8"; "sent by process 812", which for an abort() is the worker itself.
std::string reason_of(int signal, int code, uint64_t address) {
  if (code <= 0) return fmt::format("sent by process {}", address);
  struct Name {
    int signal;
    int code;
    std::string_view text;
  };
  static constexpr Name kNames[] = {
      {SIGSEGV, SEGV_MAPERR, "SEGV_MAPERR"}, {SIGSEGV, SEGV_ACCERR, "SEGV_ACCERR"},
      {SIGBUS, BUS_ADRALN, "BUS_ADRALN"},    {SIGBUS, BUS_ADRERR, "BUS_ADRERR"},
      {SIGFPE, FPE_INTDIV, "FPE_INTDIV"},    {SIGFPE, FPE_INTOVF, "FPE_INTOVF"},
      {SIGILL, ILL_ILLOPC, "ILL_ILLOPC"},    {SIGILL, ILL_ILLOPN, "ILL_ILLOPN"},
  };
  for (const Name& name : kNames) {
    if (name.signal == signal && name.code == code) {
      return fmt::format("{} at {:#x}", name.text, address);
    }
  }
  return fmt::format("code {} at {:#x}", code, address);
}

}  // namespace

CrashReports::~CrashReports() {
  if (!pages_.empty()) ::munmap(pages_.data(), pages_.size());
}

Status CrashReports::create(uint32_t worker_slots) {
  static_assert(sizeof(Report) <= 4096);
  const size_t bytes = worker_slots * page_bytes();
  void* pages = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return fail_errno("map the crash reports", errno);
  pages_ = {static_cast<std::byte*>(pages), bytes};
  void* frame = nullptr;
  ::backtrace(&frame, 1);  // the first call loads a library
  return {};
}

void CrashReports::clear(uint32_t slot) {
  std::memset(pages_.data() + slot * page_bytes(), 0, sizeof(Report));
}

Status CrashReports::report_to(uint32_t slot, WriteStack write_stack) {
  const std::span<std::byte> own = pages_.subspan(slot * page_bytes(), page_bytes());
  const std::span<std::byte> after = pages_.subspan(slot * page_bytes() + page_bytes());
  if ((slot > 0 && ::munmap(pages_.data(), slot * page_bytes()) != 0) ||
      (!after.empty() && ::munmap(after.data(), after.size()) != 0)) {
    return fail_errno("unmap the other workers' crash reports", errno);
  }
  pages_ = own;
  the_report = reinterpret_cast<Report*>(own.data());
  the_write_stack = write_stack;

  stack_t stack{};
  if (::sigaltstack(nullptr, &stack) != 0) return fail_errno("sigaltstack", errno);
  if ((stack.ss_flags & SS_DISABLE) != 0) {  // else a sanitizer has set it, and will free it
    stack = {the_stack, 0, sizeof the_stack};
    if (::sigaltstack(&stack, nullptr) != 0) return fail_errno("sigaltstack", errno);
  }
  struct sigaction action {};
  action.sa_sigaction = on_crash;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (const int number : kSignals) {
    struct sigaction present {};
    if (::sigaction(number, nullptr, &present) != 0) return fail_errno("sigaction", errno);
    if (present.sa_handler != SIG_DFL) continue;
    if (::sigaction(number, &action, nullptr) != 0) return fail_errno("sigaction", errno);
  }
  struct sigaction asked {};
  asked.sa_sigaction = on_asked;
  asked.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
  if (::sigaction(signal_to_ask(), &asked, nullptr) != 0) return fail_errno("sigaction", errno);
  return {};
}

bool CrashReports::try_call(void (*call)()) {
  struct sigaction present {};
  if (::sigaction(SIGSEGV, nullptr, &present) != 0 || present.sa_sigaction != on_crash)
    return false;
  sigjmp_buf* const outer = the_refuge;  // null, or the refuge of an interrupted call
  sigjmp_buf refuge;
  if (sigsetjmp(refuge, 1) != 0) {
    the_refuge = outer;
    return false;
  }
  the_refuge = &refuge;
  call();
  the_refuge = outer;
  return true;
}

std::string CrashReports::describe(uint32_t slot, int status) {
  const Report& report = report_of(pages_, slot);
  const int signal = report.signal.load(std::memory_order_acquire);
  if (!WIFSIGNALED(status) || WTERMSIG(status) != signal) return "";
  return reason_of(signal, report.code, report.address) + describe_stack(slot);
}

// Each frame is a line of its own.
std::string CrashReports::describe_stack(uint32_t slot) {
  const Report& report = report_of(pages_, slot);
  std::string text;
  for (void* const frame : frames_of(report)) {
    // A return address names the instruction after the call, which may be in another function.
    const auto address = reinterpret_cast<uintptr_t>(frame);
    text += '\n' + symbols_.describe(text.empty() ? address : address - 1);
  }
  return text + lines_of(stack_of(report));
}

int CrashReports::signal_to_ask() {
  return SIGRTMAX - 2;
}

void CrashReports::ask_stack(uint32_t slot, pid_t worker) {
  report_of(pages_, slot).is_told = 0;
  ::kill(worker, signal_to_ask());
}

std::optional<std::string> CrashReports::try_take_stack(uint32_t slot) {
  const Report& report = report_of(pages_, slot);
  if (report.is_told.load(std::memory_order_acquire) == 0) return std::nullopt;
  const std::string lines = describe_stack(slot);
  return lines.substr(std::min<size_t>(1, lines.size()));  // without the line end that begins it
}

}  // namespace ringmaster::worker
