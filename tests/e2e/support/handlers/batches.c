/* batches: a handler that answers each job with the number of jobs in its batch. Params can ask for
 * something else: {"do": "die"} ends the worker, "leave" leaves the whole batch unanswered, "fail"
 * fails the job, "steal" commits the room that was reserved for the job before it, "stray" answers
 * jobs that the handler was not given. Its description is DESCRIPTION. */
#include <ringmaster/handler.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef DESCRIPTION
#define DESCRIPTION NULL
#endif

static const char* describe(void* self) { return (void)self, DESCRIPTION; }

static int says(const rm_job* job, const char* what) {
  return memmem(job->params.data, job->params.size, what, strlen(what)) != NULL;
}

static void answer(const rm_host* host, const rm_job* job, size_t count) {
  char text[32];
  const int size = snprintf(text, sizeof text, "%zu", count);
  char* room = host->reserve(job, (size_t)size);
  if (room == NULL) return;
  memcpy(room, text, (size_t)size);
  host->commit(job, (size_t)size);
}

static void run(void* self, const rm_host* host, const rm_job* jobs, size_t count) {
  (void)self;
  for (size_t i = 0; i < count; ++i) {
    if (says(&jobs[i], "die")) abort();
    if (says(&jobs[i], "leave")) return;
  }
  for (size_t i = 0; i < count; ++i) {
    if (says(&jobs[i], "fail")) {
      host->fail(&jobs[i], 7, "as asked", 8);
    } else if (says(&jobs[i], "steal")) {
      host->reserve(&jobs[i - 1], 8);
      host->commit(&jobs[i], 8);
    } else if (says(&jobs[i], "stray")) {
      const rm_job copy = jobs[i];
      answer(host, &copy, 1000);
      answer(host, jobs + count, 1001);
      answer(host, jobs - 1, 1002);
    }
  }
  for (size_t i = 0; i < count; ++i)
    answer(host, &jobs[i], count);
}

static int load(const rm_option* options, size_t count, void** self, char* error, size_t size) {
  (void)options, (void)count, (void)error, (void)size;
  *self = NULL;
  return 0;
}

static const rm_handler kHandler = {RINGMASTER_HANDLER_ABI, load, NULL, run, NULL, NULL, describe};

const rm_handler* ringmaster_handler(void) { return &kHandler; }
