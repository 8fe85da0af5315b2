/* forges: a handler that speaks for its fork server. load() writes the bytes of its option "hex" as
 * one packet to the control channel, "times" times, then waits to be killed. With an option "once",
 * a file's name, load() returns instead. Once that file exists, a signal handler in the fork server
 * removes the file and writes the packet. */
#include <ringmaster/handler.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

enum { kControlFd = 3, kPacketBytesMax = 64, kLookEachUs = 20000 };

static char packet[kPacketBytesMax];
static size_t bytes = 0;
static char* once = NULL;

static size_t decode(const char* hex) {
  size_t size = 0;
  for (; hex[0] != '\0' && size < kPacketBytesMax; hex += 2) {
    const char byte[] = {hex[0], hex[1], '\0'};
    packet[size++] = (char)strtol(byte, NULL, 16);
  }
  return size;
}

static void look(int signal) {
  (void)signal;
  if (unlink(once) == 0 && write(kControlFd, packet, bytes) < 0) abort();
}

static int load(const rm_option* options, size_t count, void** self, char* error, size_t size) {
  (void)error, (void)size;
  long times = 1;
  for (size_t i = 0; i < count; ++i) {
    if (strcmp(options[i].key, "hex") == 0) bytes = decode(options[i].value);
    if (strcmp(options[i].key, "times") == 0) times = strtol(options[i].value, NULL, 10);
    if (strcmp(options[i].key, "once") == 0) once = strdup(options[i].value);
  }
  *self = NULL;
  if (once != NULL) {
    const struct sigaction action = {.sa_handler = look, .sa_flags = SA_RESTART};
    const struct itimerval each = {{0, kLookEachUs}, {0, kLookEachUs}};
    return sigaction(SIGALRM, &action, NULL) != 0 || setitimer(ITIMER_REAL, &each, NULL) != 0;
  }
  for (; times > 0; --times) {
    if (write(kControlFd, packet, bytes) < 0) break;
  }
  for (;;)
    pause();
}

static void run(void* self, const rm_host* host, const rm_job* jobs, size_t count) {
  (void)self, (void)host, (void)jobs, (void)count;
}

static const rm_handler kHandler = {RINGMASTER_HANDLER_ABI, load, NULL, run, NULL, NULL};

const rm_handler* ringmaster_handler(void) {
  return &kHandler;
}
