/* tries: a handler that tries what its params say, {"what": "socket", "folder": ...}, and answers with
 * the name of the errno that it got, or "done". Where it is allowed it does no harm. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <pthread.h>
#include <ringmaster/handler.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
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

static int own_signals(void) {
  const int fd = open("/dev/null", O_RDONLY);
  return fcntl(fd, F_SETOWN, getppid()) | close(fd);
}

static int limit_parent(void) {
  struct rlimit limit;
  return prlimit(getppid(), RLIMIT_CORE, NULL, &limit);
}

static void* end(void* unused) { return unused; }

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
  if (is(what, "own_signals")) return own_signals();
  if (is(what, "limit_parent")) return limit_parent();
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
  if (is(what, "socketpair")) return socketpair(AF_UNIX, SOCK_STREAM, 0, (int[2]){0});
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
