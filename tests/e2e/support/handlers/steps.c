/* steps: a handler for the two run steps of a method, {"ticket": 17, "acts": "lo"}. For each job that
 * it is given it first appends the line "TICKET STEP PID" to its `log` file, with one write. Then it
 * does what the step's letter in `acts` says:
 *
 *   o  answer        s  answer after a while     l  answer, and return only after a while
 *   f  fail          d  die without an answer    x  answer, and die after a while
 *   h  never return
 *
 * The answer is [TICKET,STEP]. The second step expects the first one's answer as its input. */
#include <fcntl.h>
#include <ringmaster/handler.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { kWhileUs = 3000 };

typedef struct steps {
  char log[4096];
  int step;
} steps;

static const char* member(const rm_job* job, const char* key) {
  const char* at = memmem(job->params.data, job->params.size, key, strlen(key));
  if (at == NULL) abort();
  return at + strlen(key);
}

static long ticket_of(const rm_job* job) { return strtol(member(job, "\"ticket\":"), NULL, 10); }

static void note(const steps* self, const rm_job* job) {
  char line[64];
  const int size = snprintf(line, sizeof line, "%ld %d %d\n", ticket_of(job), self->step, (int)getpid());
  const int fd = open(self->log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || write(fd, line, (size_t)size) != size) abort();
  close(fd);
}

static void answer(const steps* self, const rm_host* host, const rm_job* job) {
  char text[64];
  const int size = snprintf(text, sizeof text, "[%ld,%d]", ticket_of(job), self->step);
  char* room = host->reserve(job, (size_t)size);
  memcpy(room, text, (size_t)size);
  host->commit(job, (size_t)size);
}

static int has_input(const steps* self, const rm_job* job) {
  char expected[64];
  const int size = snprintf(expected, sizeof expected, "[%ld,%d]", ticket_of(job), self->step - 1);
  if (self->step == 0) return job->input_count == 0;
  return job->input_count == 1 && job->inputs[0].value.size == (size_t)size &&
         memcmp(job->inputs[0].value.data, expected, (size_t)size) == 0;
}

static void act(const steps* self, const rm_host* host, const rm_job* job) {
  const char letter = member(job, "\"acts\":\"")[self->step];
  if (!has_input(self, job)) return host->fail(job, 99, "wrong input", 11);
  while (letter == 'h') pause();
  if (letter == 'd') raise(SIGKILL);
  if (letter == 'f') return host->fail(job, 7, "as asked", 8);
  if (letter == 's') usleep(kWhileUs);
  answer(self, host, job);
  if (letter == 'l' || letter == 'x') usleep(kWhileUs);
  if (letter == 'x') raise(SIGKILL);
}

static void run(void* self, const rm_host* host, const rm_job* jobs, size_t count) {
  for (size_t i = 0; i < count; ++i) note(self, &jobs[i]);
  for (size_t i = 0; i < count; ++i) act(self, host, &jobs[i]);
}

static int load(const rm_option* options, size_t count, void** self, char* error, size_t size) {
  (void)error, (void)size;
  steps* made = calloc(1, sizeof *made);
  for (size_t i = 0; i < count; ++i) {
    if (strcmp(options[i].key, "log") == 0) snprintf(made->log, sizeof made->log, "%s", options[i].value);
    if (strcmp(options[i].key, "step") == 0) made->step = atoi(options[i].value);
  }
  *self = made;
  return 0;
}

static const rm_handler kHandler = {RINGMASTER_HANDLER_ABI, load, NULL, run, free, NULL};

const rm_handler* ringmaster_handler(void) { return &kHandler; }
