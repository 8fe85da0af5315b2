#include <asm/sockios.h>
#include <bit>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <memory>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "worker/sandbox.h"
#include "worker/sandbox_steps.h"

namespace ringmaster::worker {
namespace {

// When a process ends, LeakSanitizer checks it from a second process, which traces it.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kIsTraced = true;
#else
constexpr bool kIsTraced = false;
#endif

// glibc of Debian 12 lacks these constants. kSetDelegation is F_SETDELEG, a lease since Linux 6.19.
constexpr uint32_t kMadvCollapse = 25;
constexpr uint32_t kSoPeerPidfd = 77;
constexpr uint32_t kSetDelegation = 1040;

// Stands in a compiled filter for the process's own id. No process has this id, and the filter has
// no other constant of this value.
constexpr uint32_t kOwnPid = 0x5EEDF11D;

// From linux/ioprio.h, which Debian 12 does not ship.
constexpr uint64_t kIoprioWhoProcess = 1;

constexpr int kRefused[] = {
    // The network, and io_uring, which bypasses every rule here. A pair of connected sockets is
    // harmless: the conditions on socketpair are below.
    SCMP_SYS(socket),
    SCMP_SYS(connect),
    SCMP_SYS(bind),
    SCMP_SYS(listen),
    SCMP_SYS(accept),
    SCMP_SYS(accept4),
    SCMP_SYS(shutdown),  // the output of the canaries is the fork server's socket
    SCMP_SYS(sendmsg),   // sends descriptors
    SCMP_SYS(sendmmsg),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register),
    // The kernel's older asynchronous input and output. It can ring the master's bell until the
    // bell counts as broken.
    SCMP_SYS(io_setup),
    SCMP_SYS(io_submit),
    SCMP_SYS(io_destroy),
    SCMP_SYS(io_cancel),
    SCMP_SYS(io_getevents),
    SCMP_SYS(io_pgetevents),
    // Other programs and processes. The conditions on clone, kill and such are below.
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(fork),
    SCMP_SYS(vfork),
    SCMP_SYS(tkill),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(process_madvise),
    SCMP_SYS(process_mrelease),
    SCMP_SYS(pidfd_open),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(pidfd_send_signal),
    SCMP_SYS(kcmp),
    SCMP_SYS(move_pages),
    SCMP_SYS(migrate_pages),
    // A policy for shared memory also holds for the pages that the master touches there.
    SCMP_SYS(mbind),
    SCMP_SYS(set_mempolicy_home_node),
    // Names that would outlive the worker, and those of other programs.
    SCMP_SYS(shmget),
    SCMP_SYS(shmat),
    SCMP_SYS(shmctl),
    SCMP_SYS(semget),
    SCMP_SYS(semop),
    SCMP_SYS(semtimedop),
    SCMP_SYS(semctl),
    SCMP_SYS(msgget),
    SCMP_SYS(msgsnd),
    SCMP_SYS(msgrcv),
    SCMP_SYS(msgctl),
    SCMP_SYS(mq_open),
    SCMP_SYS(mq_unlink),
    // Maps other pages of a file than those that were mapped to the worker.
    SCMP_SYS(remap_file_pages),
    // Namespaces and mounts.
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(move_mount),
    SCMP_SYS(open_tree),
    SCMP_SYS(fsopen),
    SCMP_SYS(fsconfig),
    SCMP_SYS(fsmount),
    SCMP_SYS(fspick),
    SCMP_SYS(mount_setattr),
    // Parts of the kernel with many past vulnerabilities.
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(keyctl),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(reboot),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(syslog),
    SCMP_SYS(acct),
    SCMP_SYS(quotactl),
    SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime),
    SCMP_SYS(adjtimex),
    SCMP_SYS(clock_adjtime),
    SCMP_SYS(sethostname),
    SCMP_SYS(setdomainname),
    SCMP_SYS(iopl),
    SCMP_SYS(ioperm),
    SCMP_SYS(modify_ldt),
    SCMP_SYS(name_to_handle_at),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(fanotify_init),
    SCMP_SYS(lookup_dcookie),
    SCMP_SYS(vhangup),
    SCMP_SYS(nfsservctl),
};

// Refused unless the argument is 0 or the own process id. A thread's number is another id, so a
// thread must use 0.
struct OwnCall {
  uint32_t call;
  unsigned argument;
};
constexpr OwnCall kOwnCalls[] = {
    {SCMP_SYS(sched_setaffinity), 0},  {SCMP_SYS(sched_setattr), 0}, {SCMP_SYS(sched_setparam), 0},
    {SCMP_SYS(sched_setscheduler), 0}, {SCMP_SYS(prlimit64), 0},     {SCMP_SYS(setpriority), 1},
    {SCMP_SYS(ioprio_set), 1},
};

struct Condition {
  int call;
  std::vector<scmp_arg_cmp> refused_when;  // all of these hold
};

// The kernel reads an int from half of a register, so the comparison does the same.
constexpr scmp_arg_cmp is_int(unsigned argument, uint32_t value) {
  return {argument, SCMP_CMP_MASKED_EQ, UINT32_MAX, value};
}
constexpr scmp_arg_cmp is_not(unsigned argument, uint64_t value) {
  return {argument, SCMP_CMP_NE, value, 0};
}
constexpr scmp_arg_cmp has_flag(unsigned argument, uint32_t flag) {
  return {argument, SCMP_CMP_MASKED_EQ, flag, flag};
}
constexpr scmp_arg_cmp is_not_self(unsigned argument) {
  return is_not(argument, kOwnPid);
}

std::vector<Condition> conditions() {
  return {
      // Threads, not processes.
      {SCMP_SYS(clone),
       {{0, SCMP_CMP_MASKED_EQ, kIsTraced ? CLONE_NEWUSER : CLONE_THREAD,
         kIsTraced ? CLONE_NEWUSER : 0}}},
      // Signals for itself only. F_SETOWN and such would make a descriptor signal another process.
      {SCMP_SYS(kill), {is_not_self(0)}},
      {SCMP_SYS(tgkill), {is_not_self(0)}},
      {SCMP_SYS(rt_sigqueueinfo), {is_not_self(0)}},
      {SCMP_SYS(rt_tgsigqueueinfo), {is_not_self(0)}},
      {SCMP_SYS(fcntl), {is_int(1, F_SETOWN)}},
      {SCMP_SYS(fcntl), {is_int(1, F_SETOWN_EX)}},
      {SCMP_SYS(ioctl), {is_int(1, FIOSETOWN)}},
      {SCMP_SYS(ioctl), {is_int(1, SIOCSPGRP)}},
      // Nor may a handler make a descriptor that it shares with the master send signals, or choose
      // the signal: a terminal signals the processes in its foreground.
      {SCMP_SYS(fcntl), {is_int(1, F_SETSIG)}},
      {SCMP_SYS(fcntl), {is_int(1, F_SETFL), has_flag(2, O_ASYNC)}},
      {SCMP_SYS(ioctl), {is_int(1, FIOASYNC)}},
      // A lease blocks a process that opens the file, as the master does with its configuration.
      {SCMP_SYS(fcntl), {is_int(1, F_SETLEASE)}},
      {SCMP_SYS(fcntl), {is_int(1, kSetDelegation)}},
      // Freeing a range of shared memory blocks all processes that touch it meanwhile, and so does
      // moving it to huge pages. Private memory is freed by other advice (MADV_DONTNEED).
      {SCMP_SYS(madvise), {is_int(2, MADV_REMOVE)}},
      {SCMP_SYS(madvise), {is_int(2, kMadvCollapse)}},
      // A priority of a process, not of a group or a user.
      {SCMP_SYS(setpriority), {is_not(0, PRIO_PROCESS)}},
      {SCMP_SYS(ioprio_set), {is_not(0, kIoprioWhoProcess)}},
      // A socket that is not connected could send to any address, with descriptors. Allowed are
      // SOCK_STREAM (1) and SOCK_SEQPACKET (5), whose ends stay connected.
      {SCMP_SYS(socketpair), {is_not(0, AF_UNIX)}},
      {SCMP_SYS(socketpair), {{1, SCMP_CMP_MASKED_EQ, 1, 0}}},
      {SCMP_SYS(socketpair), {{1, SCMP_CMP_MASKED_EQ, 2, 2}}},
      {SCMP_SYS(socketpair), {{1, SCMP_CMP_MASKED_EQ, 8, 8}}},
      {SCMP_SYS(sendto), {is_not(4, 0)}},
      // Urgent data of unix sockets: little used, with past vulnerabilities of the kernel.
      {SCMP_SYS(sendto), {has_flag(3, MSG_OOB)}},
      {SCMP_SYS(recvfrom), {has_flag(3, MSG_OOB)}},
      {SCMP_SYS(recvmsg), {has_flag(2, MSG_OOB)}},
      {SCMP_SYS(recvmmsg), {has_flag(3, MSG_OOB)}},
      // SO_PEERPIDFD opens the process that has made a socket: the master for the worker's output.
      {SCMP_SYS(getsockopt), {is_int(1, SOL_SOCKET), is_int(2, kSoPeerPidfd)}},
      // Input into the terminal that the server was started from.
      {SCMP_SYS(ioctl), {is_int(1, TIOCSTI)}},
      {SCMP_SYS(ioctl), {is_int(1, TIOCLINUX)}},
      // Other drivers for a terminal, which have had many vulnerabilities.
      {SCMP_SYS(ioctl), {is_int(1, TIOCSETD)}},
      // Outliving the fork server. Setting SIGKILL again is allowed: LeakSanitizer's second process
      // does so, or it would outlive a worker that is killed meanwhile.
      {SCMP_SYS(prctl), {is_int(0, PR_SET_PDEATHSIG), {1, SCMP_CMP_NE, SIGKILL, 0}}},
      // Hiding from the master: a /proc that shows a user only the processes that the user may
      // trace hides those that are not dumpable.
      {SCMP_SYS(prctl), {is_int(0, PR_SET_DUMPABLE), is_not(1, 1)}},
  };
}

using Program = std::vector<sock_filter>;

Status load(Program program) {
  const sock_fprog all{static_cast<unsigned short>(program.size()), program.data()};
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all) == 0) return {};
  return fail_errno("seccomp", errno);
}

Result<Program> export_program(const scmp_filter_ctx filter) {
  const Fd file(::memfd_create("ringmaster-seccomp", MFD_CLOEXEC));
  if (!file.is_open()) return fail_errno("seccomp", errno);
  if (const int error = seccomp_export_bpf(filter, file.get()); error < 0)
    return fail_errno("seccomp", -error);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return fail_errno("seccomp", errno);
  const auto bytes = static_cast<size_t>(status.st_size);
  Program program(bytes / sizeof(sock_filter));
  if (::pread(file.get(), program.data(), bytes, 0) != status.st_size)
    return fail_errno("seccomp", errno);
  return program;
}

// Compiles the filter with kOwnPid in place of the process's own id.
Result<Program> compile() {
  const std::unique_ptr<void, decltype(&seccomp_release)> filter(seccomp_init(SCMP_ACT_ALLOW),
                                                                 seccomp_release);
  if (filter == nullptr) return fail_errno("seccomp", ENOMEM);
  // A call of another architecture could only be meant to bypass the filter.
  int error = seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  if (error == 0) error = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  const uint32_t refuse = SCMP_ACT_ERRNO(EPERM);
  for (const int call : kRefused) {
    if (error == 0) error = seccomp_rule_add(filter.get(), refuse, call, 0);
  }
  // Without clone3 the C library uses clone, whose flags a filter can read.
  if (error == 0)
    error = seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
  if (error == 0 && !kIsTraced) error = seccomp_rule_add(filter.get(), refuse, SCMP_SYS(ptrace), 0);
  for (const auto& [call, refused_when] : conditions()) {
    if (error == 0) {
      error =
          seccomp_rule_add_array(filter.get(), refuse, call,
                                 static_cast<unsigned>(refused_when.size()), refused_when.data());
    }
  }
  if (error < 0) return fail_errno("seccomp", -error);
  return export_program(filter.get());
}

const Result<Program>& compiled() {
  static const Result<Program> once = compile();
  return once;
}

// A second filter: libseccomp cannot express "neither of two values". Calls of another architecture
// do not get here: the first filter kills the process.
Status refuse_for_others() {
  static_assert(std::endian::native == std::endian::little);
  Program code = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (const auto& [call, argument] : kOwnCalls) {
    const auto at =
        static_cast<uint32_t>(offsetof(seccomp_data, args) + argument * sizeof(uint64_t));
    code.insert(
        code.end(),
        {
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 5),  // another call: skip these five
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 2, 0),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(::getpid()), 1, 0),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        });
  }
  code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  return load(std::move(code));
}

}  // namespace

void prepare_sandbox() {
  compiled();
}

Status refuse_calls() {
  const Result<Program>& common = compiled();
  if (!common) return tl::unexpected(common.error());
  Program own = *common;
  for (sock_filter& step : own) {
    if (step.code == (BPF_JMP | BPF_JEQ | BPF_K) && step.k == kOwnPid)
      step.k = static_cast<uint32_t>(::getpid());
  }
  if (Status loaded = load(std::move(own)); !loaded) return loaded;
  return refuse_for_others();
}

}  // namespace ringmaster::worker
