/* overruns: a handler that runs until it is interrupted, and then fails its jobs with the code 7.
 * {"what": "hangs"}: it ignores interrupts; "ends": it answers at once; "sleeps": it
 * answers after 300 ms; "crashes": it ends its worker by a signal. An answer is the number of
 * interrupts so far. The stack that it writes is "in f() of Overruns" and "in main". */
#include <ringmaster/handler.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t interrupts = 0;

static int says(const rm_job* job, const char* what) {
  return memmem(job->params.data, job->params.size, what, strlen(what)) != NULL;
}

static void answer(const rm_host* host, const rm_job* job) {
  char text[32];
  const int size = snprintf(text, sizeof text, "%d", (int)interrupts);
  memcpy(host->reserve(job, (size_t)size), text, (size_t)size);
  host->commit(job, (size_t)size);
}

/* A signal does not cut the sleep short. */
static void sleep_ms(long ms) {
  struct timespec left = {0, ms * 1000000};
  while (nanosleep(&left, &left) != 0) continue;
}

static void serve(const rm_host* host, const rm_job* job) {
  if (says(job, "crashes")) abort();
  if (says(job, "ends")) return answer(host, job);
  if (says(job, "sleeps")) {
    sleep_ms(300);
    return answer(host, job);
  }
  const sig_atomic_t before = interrupts;
  while (interrupts == before || says(job, "hangs")) sleep_ms(1);
  host->fail(job, 7, "interrupted", 11);
}

static void run(void* self, const rm_host* host, const rm_job* jobs, size_t count) {
  (void)self;
  for (size_t i = 0; i < count; ++i) serve(host, &jobs[i]);
}

static int load(const rm_option* options, size_t count, void** self, char* error, size_t size) {
  (void)options, (void)count, (void)error, (void)size;
  *self = NULL;
  return 0;
}

static void interrupt(void* self) {
  (void)self;
  ++interrupts;
}

static void write_stack(void* self, int fd) {
  (void)self;
  static const char kStack[] = "in f() of Overruns\nin main\n";
  if (write(fd, kStack, sizeof kStack - 1) < 0) _exit(9);
}

static const rm_handler kHandler = {.abi = RINGMASTER_HANDLER_ABI,
                                    .load = load,
                                    .run = run,
                                    .interrupt = interrupt,
                                    .write_stack = write_stack};

const rm_handler* ringmaster_handler(void) { return &kHandler; }
