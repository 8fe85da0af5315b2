/* tries: a handler that tries the action of its params, {"what": "socket", "folder": ...}. Answers
 * with the name of the errno, or "done". An action that is allowed does no harm. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <pthread.h>
#include <ringmaster/handler.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int connect_somewhere(void) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  return connect(STDERR_FILENO, (struct sockaddr*)&address, sizeof address);
}

static int fork_child(void) {
  const pid_t pid = fork();
  if (pid == 0) _exit(0);
  return pid < 0 || waitpid(pid, NULL, 0) != pid ? -1 : 0;
}

static int execute_nothing(void) {
  char* argv[] = {"nothing", NULL};
  return execve("/nonexistent", argv, argv);
}

static int read_parent(void) {
  char there;
  struct iovec local = {&there, 1}, remote = {&there, 1};
  return process_vm_readv(getppid(), &local, 1, &remote, 1, 0) < 0 ? -1 : 0;
}

static int open_file(const char* path, int flags) {
  const int fd = open(path, flags, 0600);
  return fd < 0 ? -1 : close(fd);
}

static int open_memory_of(pid_t pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
  return open_file(path, O_RDWR);
}

static int open_in_proc(pid_t pid, const char* name) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
  return open_file(path, O_WRONLY);
}

static int own_signals(int by) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) abort();
  const pid_t owner = getppid();
  const struct f_owner_ex process = {F_OWNER_PID, owner};
  const int result = by == F_SETOWN      ? fcntl(ends[0], by, owner)
                     : by == F_SETOWN_EX ? fcntl(ends[0], by, &process)
                                         : ioctl(ends[0], by, &owner);
  const int error = errno;
  close(ends[0]), close(ends[1]);
  errno = error;
  return result;
}

/* The glibc of Debian 12 lacks these names. */
enum { kMadvCollapse = 25, kSoPeerPidfd = 77, kSetDelegation = 1040 };
/* The id of a user and of a group without processes: so no process is changed. */
enum { kNobody = 0x7ffffffe };
enum how { kChooseSignal, kSignalWhenReady, kSignalWhenReadyByIoctl, kNoWait };

static int change_pipe(enum how how) {
  int ends[2], on = 1;
  if (pipe(ends) != 0) abort();
  const int result = how == kChooseSignal      ? fcntl(ends[0], F_SETSIG, SIGKILL)
                     : how == kSignalWhenReady ? fcntl(ends[0], F_SETFL, O_ASYNC | O_NONBLOCK)
                     : how == kNoWait          ? fcntl(ends[0], F_SETFL, O_NONBLOCK)
                                               : ioctl(ends[0], FIOASYNC, &on);
  const int error = errno;
  close(ends[0]), close(ends[1]);
  errno = error;
  return result;
}

static int limit_parent(void) {
  struct rlimit limit;
  return prlimit(getppid(), RLIMIT_CORE, NULL, &limit);
}

/* pin() and the next two functions set values that are in force already. */
static int pin(pid_t pid) {
  cpu_set_t cpus;
  if (sched_getaffinity(0, sizeof cpus, &cpus) != 0) abort();
  return sched_setaffinity(pid, sizeof cpus, &cpus);
}

static int schedule(pid_t pid) {
  return sched_setscheduler(pid, SCHED_OTHER, &(struct sched_param){0});
}

static long schedule_by_attributes(pid_t pid) {
  struct {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
  } attributes = {.size = 48};
  return syscall(SYS_sched_setattr, pid, &attributes, 0);
}

/* Sets the lowest priority, which every user may do. */
static int renice(int which, pid_t id) {
  return setpriority(which, (id_t)id, 19);
}

static long change_io(int which, pid_t id) {
  return syscall(SYS_ioprio_set, which, id, 0);
}

static int pair(int type) {
  int ends[2];
  return socketpair(AF_UNIX, type, 0, ends) != 0 ? -1 : close(ends[0]) | close(ends[1]);
}

enum transfer { kSend, kSendToAddress, kSendUrgent, kSendMessage, kReceive, kReceiveMessage };

/* One end of a stream pair, which is connected, sends or receives. */
static long transfer(enum transfer how) {
  int ends[2];
  char byte = 'x';
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0 || write(ends[1], "y", 1) != 1) abort();
  const long size =
      how == kSend            ? send(ends[0], &byte, 1, MSG_NOSIGNAL)
      : how == kSendToAddress ? sendto(ends[0], &byte, 1, MSG_NOSIGNAL, &address, sizeof address)
      : how == kSendUrgent    ? send(ends[0], &byte, 1, MSG_NOSIGNAL | MSG_OOB)
      : how == kSendMessage   ? sendmsg(ends[0], &message, MSG_NOSIGNAL)
      : how == kReceive       ? recv(ends[0], &byte, 1, MSG_DONTWAIT)
                              : recvmsg(ends[0], &message, MSG_DONTWAIT);
  const int error = errno;
  close(ends[0]), close(ends[1]);
  errno = error;
  return size;
}

/* kSoPeerPidfd opens the process that has made the socket of the output. */
static int ask_output(int option) {
  int answer;
  socklen_t size = sizeof answer;
  if (getsockopt(STDERR_FILENO, SOL_SOCKET, option, &answer, &size) != 0) return -1;
  return option == kSoPeerPidfd ? close(answer) : 0;
}

/* Expects the end: nobody sends to the socket of the output. */
static int read_output(void) {
  char byte;
  return read(STDOUT_FILENO, &byte, 1) == 0 ? 0 : -1;
}

/* Gives the advice for memory that is in use. */
static int advise(int sharing, int advice) {
  const size_t size = 4 << 20;
  char* memory = mmap(NULL, size, PROT_READ | PROT_WRITE, sharing | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) abort();
  memset(memory, 1, size);
  const int result = madvise(memory, size, advice);
  const int error = errno;
  munmap(memory, size);
  errno = error;
  return result;
}

static int advise_for_own(void) {
  return advise(MAP_PRIVATE, MADV_DONTNEED) | advise(MAP_PRIVATE, MADV_FREE) |
         advise(MAP_PRIVATE, MADV_HUGEPAGE) | advise(MAP_SHARED, MADV_DONTNEED);
}

static int lease(const char* folder) {
  char path[4096 + 16];
  snprintf(path, sizeof path, "%s/leased", folder);
  const int fd = open(path, O_CREAT | O_RDWR, 0600);
  const int error = fcntl(fd, F_SETLEASE, F_WRLCK) != 0 ? errno : 0;
  close(fd);
  errno = error;
  return error != 0 ? -1 : 0;
}

static void* end(void* unused) { return unused; }

static void* rest(void* unused) {
  for (;;) pause();
  return unused;
}

/* Starts as many threads as it may, says so on stderr, and never returns. */
static int hold_threads(void) {
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 64 << 10);
  int count = 0;
  while (count < 10000 && pthread_create(&thread, &attributes, rest, NULL) == 0) ++count;
  dprintf(STDERR_FILENO, "holds %d threads\n", count);
  rest(NULL);
  return 0;
}

/* A thread that reads an eventfd again and again, and so takes its rings. deafen() starts one for
 * each eventfd of this worker, and makes the eventfd blocking. */
static void* take_rings(void* fd) {
  for (uint64_t rings; read((int)(intptr_t)fd, &rings, sizeof rings) > 0;) continue;
  return NULL;
}

static int deafen(void) {
  int found = 0;
  for (int fd = 0; fd < 1024; ++fd) {
    char path[64], target[64] = "";
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (readlink(path, target, sizeof target - 1) < 0) continue;
    if (strstr(target, "[eventfd]") == NULL || fcntl(fd, F_SETFL, 0) != 0) continue;
    pthread_t thread;
    if (pthread_create(&thread, NULL, take_rings, (void*)(intptr_t)fd) == 0) ++found;
  }
  errno = ENOENT;
  return found > 0 ? 0 : -1;
}

static int start_thread(void) {
  pthread_t thread;
  errno = pthread_create(&thread, NULL, end, NULL);
  return errno != 0 ? -1 : pthread_join(thread, NULL);
}

/* Writes a file, moves it into another folder, and removes it. */
static int use_files(const char* folder) {
  char from[4096], to[4096 + 16];
  snprintf(from, sizeof from, "%s/sub/file", folder);
  snprintf(to, sizeof to, "%s/moved", folder);
  return open_file(from, O_CREAT | O_WRONLY) || rename(from, to) || unlink(to) ? -1 : 0;
}

static int is(const char* what, const char* name) { return strcmp(what, name) == 0; }

static long try_it(const char* what, const char* folder) {
  if (is(what, "socket")) return socket(AF_INET, SOCK_STREAM, 0);
  if (is(what, "unix_socket")) return socket(AF_UNIX, SOCK_STREAM, 0);
  if (is(what, "connect")) return connect_somewhere();
  if (is(what, "io_uring")) return syscall(SYS_io_uring_setup, 0, NULL);
  if (is(what, "exec")) return execute_nothing();
  if (is(what, "fork")) return fork_child();
  if (is(what, "kill_parent")) return kill(getppid(), 0);
  if (is(what, "kill_all")) return kill(-1, 0);
  if (is(what, "tgkill_parent")) return syscall(SYS_tgkill, getppid(), getppid(), 0);
  if (is(what, "own_signals")) return own_signals(F_SETOWN);
  if (is(what, "own_signals_by_struct")) return own_signals(F_SETOWN_EX);
  if (is(what, "own_signals_by_ioctl")) return own_signals(FIOSETOWN);
  if (is(what, "own_signals_by_group")) return own_signals(SIOCSPGRP);
  if (is(what, "choose_signal")) return change_pipe(kChooseSignal);
  if (is(what, "signal_when_ready")) return change_pipe(kSignalWhenReady);
  if (is(what, "signal_when_ready_by_ioctl")) return change_pipe(kSignalWhenReadyByIoctl);
  if (is(what, "no_wait")) return change_pipe(kNoWait);
  if (is(what, "limit_parent")) return limit_parent();
  if (is(what, "pin_parent")) return pin(getppid());
  if (is(what, "pin_self")) return pin(0) | pin(getpid());
  if (is(what, "schedule_parent")) return schedule(getppid());
  if (is(what, "schedule_self")) return schedule(0) | schedule(getpid());
  if (is(what, "attributes_of_parent")) return schedule_by_attributes(getppid());
  if (is(what, "attributes_of_self")) return schedule_by_attributes(getpid());
  if (is(what, "renice_parent")) return renice(PRIO_PROCESS, getppid());
  if (is(what, "renice_group")) return renice(PRIO_PGRP, kNobody);
  if (is(what, "renice_user")) return renice(PRIO_USER, kNobody);
  if (is(what, "renice_self")) return renice(PRIO_PROCESS, 0) | renice(PRIO_PROCESS, getpid());
  if (is(what, "io_of_parent")) return change_io(1, getppid());
  if (is(what, "io_of_group")) return change_io(2, kNobody);
  if (is(what, "io_of_self")) return change_io(1, 0) | change_io(1, getpid());
  if (is(what, "shmat")) return shmat(-1, NULL, 0) == (void*)-1 ? -1 : 0;
  if (is(what, "shmctl")) return shmctl(-1, IPC_RMID, NULL);
  if (is(what, "semop")) return semop(-1, &(struct sembuf){0}, 1);
  if (is(what, "msgsnd")) return msgsnd(-1, &(struct msgbuf){1, {0}}, 1, IPC_NOWAIT);
  if (is(what, "msgrcv")) return msgrcv(-1, &(struct msgbuf){1, {0}}, 1, 0, IPC_NOWAIT) < 0 ? -1 : 0;
  if (is(what, "remap")) return syscall(SYS_remap_file_pages, NULL, 0, 0, 0, 0);
  if (is(what, "datagram_pair")) return pair(SOCK_DGRAM | SOCK_CLOEXEC);
  if (is(what, "raw_pair")) return pair(SOCK_RAW);
  if (is(what, "stream_pair")) return pair(SOCK_STREAM | SOCK_CLOEXEC);
  if (is(what, "seqpacket_pair")) return pair(SOCK_SEQPACKET | SOCK_NONBLOCK);
  if (is(what, "addressed_send")) return transfer(kSendToAddress);
  if (is(what, "maker_of_output")) return ask_output(kSoPeerPidfd);
  if (is(what, "type_of_output")) return ask_output(SO_TYPE);
  if (is(what, "read_output")) return read_output();
  if (is(what, "urgent_send")) return transfer(kSendUrgent);
  if (is(what, "send_message")) return transfer(kSendMessage);
  if (is(what, "send")) return transfer(kSend);
  if (is(what, "receive")) return transfer(kReceive);
  if (is(what, "receive_message")) return transfer(kReceiveMessage);
  if (is(what, "shutdown")) return shutdown(STDERR_FILENO, SHUT_RD);
  if (is(what, "free_shared")) return advise(MAP_SHARED, MADV_REMOVE);
  if (is(what, "collapse")) return madvise(NULL, 0, kMadvCollapse);
  if (is(what, "advise")) return advise_for_own();
  if (is(what, "lease")) return lease(folder);
  if (is(what, "delegate")) return fcntl(-1, kSetDelegation, NULL);
  if (is(what, "drive_terminal")) return ioctl(STDERR_FILENO, TIOCSETD, NULL);
  if (is(what, "oom_score_of_parent")) return open_in_proc(getppid(), "oom_score_adj");
  if (is(what, "oom_score_of_self")) return open_in_proc(getpid(), "oom_score_adj");
  if (is(what, "oom_score_of_thread")) return open_file("/proc/thread-self/oom_score_adj", O_WRONLY);
  if (is(what, "core_pattern")) return open_file("/proc/sys/kernel/core_pattern", O_WRONLY);
  if (is(what, "name_self")) return prctl(PR_SET_NAME, "named");
  if (is(what, "hold_threads")) return hold_threads();
  if (is(what, "read_shadow")) return open_file("/etc/shadow", O_RDONLY);
  if (is(what, "deafen")) return deafen();
  if (is(what, "hide")) return prctl(PR_SET_DUMPABLE, 0);
  if (is(what, "stay_visible")) return prctl(PR_SET_DUMPABLE, 1);
  if (is(what, "outlive")) return prctl(PR_SET_PDEATHSIG, 0);
  if (is(what, "ptrace")) return ptrace(PTRACE_DETACH, getppid(), NULL, NULL);
  if (is(what, "read_parent")) return read_parent();
  if (is(what, "open_parent")) return open_memory_of(getppid());
  if (is(what, "mount")) return mount("none", "/nonexistent", "tmpfs", 0, NULL);
  if (is(what, "unshare")) return unshare(CLONE_NEWUTS);
  if (is(what, "keyctl")) return syscall(SYS_keyctl, 0, 0, 0, 0, 0);
  if (is(what, "bpf")) return syscall(SYS_bpf, BPF_MAP_CREATE, NULL, 0);
  if (is(what, "perf")) return syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0);
  if (is(what, "kill_self")) return kill(getpid(), 0);
  if (is(what, "thread")) return start_thread();
  if (is(what, "files")) return use_files(folder);
  abort();
}

/* The value of a string member, as the tests write it: without blanks and escapes. */
static void copy_member(rm_bytes json, const char* key, char* out) {
  const char* at = memmem(json.data, json.size, key, strlen(key));
  if (at == NULL || sscanf(at + strlen(key), "\":\"%4095[^\"]", out) != 1) out[0] = '\0';
}

static void run(void* self, const rm_host* host, const rm_job* jobs, size_t count) {
  (void)self;
  for (size_t i = 0; i < count; ++i) {
    char what[4096], folder[4096], text[64];
    copy_member(jobs[i].params, "what", what);
    copy_member(jobs[i].params, "folder", folder);
    const char* error = try_it(what, folder) < 0 ? strerrorname_np(errno) : "done";
    const int size = snprintf(text, sizeof text, "\"%s\"", error);
    char* room = host->reserve(&jobs[i], (size_t)size);
    memcpy(room, text, (size_t)size);
    host->commit(&jobs[i], (size_t)size);
  }
}

static int load(const rm_option* options, size_t count, void** self, char* error, size_t size) {
  (void)options, (void)count, (void)error, (void)size;
  *self = NULL;
  return 0;
}

static const rm_handler kHandler = {RINGMASTER_HANDLER_ABI, load, NULL, run, NULL};

const rm_handler* ringmaster_handler(void) { return &kHandler; }
