#include "work/sandbox.h"

#include <algorithm>
#include <asm/sockios.h>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <memory>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

namespace ringmaster::work {
namespace {

// LeakSanitizer looks at a process that ends from a second one, which traces it.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kIsTraced = true;
#else
constexpr bool kIsTraced = false;
#endif

// A worker opens files, not connections; the master's limit, which it inherits, is for those.
constexpr rlim_t kDescriptors = 1024;

// The kernel's score counts thousandths of the memory: this outweighs half of it.
constexpr int kOomScore = 500;

constexpr int kRefused[] = {
    // The network, and io_uring, which would go around every rule here. A socket pair leads nowhere
    // and is allowed.
    SCMP_SYS(socket),
    SCMP_SYS(connect),
    SCMP_SYS(bind),
    SCMP_SYS(listen),
    SCMP_SYS(accept),
    SCMP_SYS(accept4),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register),
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
    // Names that would outlive the worker.
    SCMP_SYS(shmget),
    SCMP_SYS(semget),
    SCMP_SYS(msgget),
    SCMP_SYS(mq_open),
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
    // The kernel itself, where its faults have been.
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

struct Condition {
  int call;
  scmp_arg_cmp refused_when;
};

// An int fills half of a register, and the kernel looks at that half: so must a comparison.
constexpr scmp_arg_cmp is_int(unsigned argument, uint32_t value) {
  return {argument, SCMP_CMP_MASKED_EQ, UINT32_MAX, value};
}
scmp_arg_cmp is_not_self(unsigned argument) {
  return {argument, SCMP_CMP_NE, static_cast<uint64_t>(::getpid()), 0};
}

Status check(int error, const char* what) {
  if (error >= 0) return {};
  return fail_errno(fmt::format("sandbox: {} ([workers] sandbox = false goes without)", what),
                    -error);
}

Status refuse_calls() {
  const std::unique_ptr<void, decltype(&seccomp_release)> filter(seccomp_init(SCMP_ACT_ALLOW),
                                                                 seccomp_release);
  if (filter == nullptr) return check(-ENOMEM, "make a filter");
  // A program that calls as another architecture's does looks for a way around.
  int error = seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  if (error == 0) error = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  const uint32_t refuse = SCMP_ACT_ERRNO(EPERM);
  for (const int call : kRefused) {
    if (error == 0) error = seccomp_rule_add(filter.get(), refuse, call, 0);
  }
  // Where clone3 is unknown the C library uses clone, whose flags can be looked at.
  if (error == 0)
    error = seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
  if (error == 0 && !kIsTraced) error = seccomp_rule_add(filter.get(), refuse, SCMP_SYS(ptrace), 0);
  const Condition conditions[] = {
      // Threads, not processes.
      {SCMP_SYS(clone),
       {0, SCMP_CMP_MASKED_EQ, kIsTraced ? CLONE_NEWUSER : CLONE_THREAD,
        kIsTraced ? CLONE_NEWUSER : 0}},
      // Signals and limits for itself only. A descriptor can be made to signal its owner.
      {SCMP_SYS(kill), is_not_self(0)},
      {SCMP_SYS(tgkill), is_not_self(0)},
      {SCMP_SYS(rt_sigqueueinfo), is_not_self(0)},
      {SCMP_SYS(rt_tgsigqueueinfo), is_not_self(0)},
      {SCMP_SYS(prlimit64), {0, SCMP_CMP_NE, 0, 0}},
      {SCMP_SYS(fcntl), is_int(1, F_SETOWN)},
      {SCMP_SYS(fcntl), is_int(1, F_SETOWN_EX)},
      {SCMP_SYS(ioctl), is_int(1, FIOSETOWN)},
      {SCMP_SYS(ioctl), is_int(1, SIOCSPGRP)},
      // To type into the terminal that the server was started from.
      {SCMP_SYS(ioctl), is_int(1, TIOCSTI)},
      {SCMP_SYS(ioctl), is_int(1, TIOCLINUX)},
  };
  for (const Condition& condition : conditions) {
    if (error == 0) {
      error =
          seccomp_rule_add_array(filter.get(), refuse, condition.call, 1, &condition.refused_when);
    }
  }
  // To outlive the nursery. What dies with it may say so: LeakSanitizer's second process must, or
  // it stays behind when its worker is killed meanwhile.
  const scmp_arg_cmp outlives[] = {is_int(0, PR_SET_PDEATHSIG), {1, SCMP_CMP_NE, SIGKILL, 0}};
  if (error == 0) {
    error = seccomp_rule_add_array(filter.get(), refuse, SCMP_SYS(prctl), 2, outlives);
  }
  if (error == 0) error = seccomp_load(filter.get());
  return check(error, "load the seccomp filter");
}

// Once in a Landlock domain, whatever its rules, a process cannot open the memory of one outside
// of it (/proc/PID/mem), even of the same user. Ours takes away device nodes, and nothing else:
// renaming from folder to folder (REFER) must be granted, or every domain refuses it.
void part_from_others() {
  constexpr uint64_t kNeeded = 2;  // the version that knows REFER
  if (::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION) <
      static_cast<long>(kNeeded)) {
    return;
  }
  const landlock_ruleset_attr handled{LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_REFER};
  const Fd rules(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0)));
  const Fd root(::open("/", O_PATH | O_CLOEXEC));
  const landlock_path_beneath_attr everywhere{LANDLOCK_ACCESS_FS_REFER, root.get()};
  if (::syscall(SYS_landlock_add_rule, rules.get(), LANDLOCK_RULE_PATH_BENEATH, &everywhere, 0) ==
      0) {
    ::syscall(SYS_landlock_restrict_self, rules.get(), 0);
  }
}

Status drop_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct had[_LINUX_CAPABILITY_U32S_3] = {};
  if (::syscall(SYS_capget, &header, had) != 0) return check(-errno, "read its capabilities");
  const bool has_any = std::any_of(std::begin(had), std::end(had), [](const auto& data) {
    return (data.permitted | data.effective | data.inheritable) != 0;
  });
  if (!has_any) return {};
  // The bounding set needs CAP_SETPCAP; without it nothing can be gained either, having no exec.
  for (unsigned long cap = 0; ::prctl(PR_CAPBSET_READ, cap) >= 0; ++cap)
    ::prctl(PR_CAPBSET_DROP, cap);
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) {
    return check(-errno, "clear its ambient capabilities");
  }
  const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  return check(::syscall(SYS_capset, &header, none) == 0 ? 0 : -errno, "drop its capabilities");
}

Status limit_resources() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return check(-errno, "read its limits");
  limit.rlim_cur = limit.rlim_max = std::min(limit.rlim_max, kDescriptors);
  const rlimit none{0, 0};
  for (const auto& [resource, value] :
       {std::pair(RLIMIT_NOFILE, limit), std::pair(RLIMIT_MSGQUEUE, none),
        std::pair(RLIMIT_RTPRIO, none)}) {
    if (::setrlimit(resource, &value) != 0) return check(-errno, "lower its limits");
  }
  return {};
}

}  // namespace

Status enter_sandbox() {
  if (Status limited = limit_resources(); !limited) return limited;
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return check(-errno, "no_new_privs");
  if (Status dropped = drop_capabilities(); !dropped) return dropped;
  part_from_others();
  return refuse_calls();
}

void volunteer_for_oom() {
  constexpr char kFile[] = "/proc/self/oom_score_adj";
  constexpr int kOomScoreMax = 1000;
  char text[16];
  const Fd file(::open(kFile, O_RDWR | O_CLOEXEC));
  const ssize_t size = ::pread(file.get(), text, sizeof text - 1, 0);
  if (size <= 0) return;
  text[size] = '\0';
  const std::string raised = std::to_string(std::min(std::atoi(text) + kOomScore, kOomScoreMax));
  [[maybe_unused]] const ssize_t written = ::pwrite(file.get(), raised.data(), raised.size(), 0);
}

}  // namespace ringmaster::work
