/* tells: a handler that answers each job with the data that it got with the job:
 * {"method": "score", "id": 7, "traceparent": "", "inputs": [["users", {...}]], "forks": [3, 2, 1]}
 * `forks`: the numbers of calls of before_fork(), after_fork_parent() and after_fork_child(). The
 * option `says` is the handler's description. */
#include <ringmaster/handler.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct tells {
  char* says;
} tells;

static int forks[3];

static void before_fork(void) { ++forks[0]; }
static void after_fork_parent(void) { ++forks[1]; }
static void after_fork_child(void) { ++forks[2]; }

static void put(FILE* out, const char* key, rm_bytes text) {
  fprintf(out, "%s\"%.*s\"", key, (int)text.size, text.data);
}

static void tell(const rm_host* host, const rm_job* job) {
  char* text = NULL;
  size_t size = 0;
  FILE* out = open_memstream(&text, &size);
  put(out, "{\"method\":", job->method);
  const rm_bytes id = job->id;
  fprintf(out, ",\"id\":%.*s", id.size > 0 ? (int)id.size : 4, id.size > 0 ? id.data : "null");
  put(out, ",\"traceparent\":", job->traceparent);
  fprintf(out, ",\"inputs\":[");
  for (size_t i = 0; i < job->input_count; ++i) {
    put(out, i == 0 ? "[" : ",[", job->inputs[i].name);
    fprintf(out, ",%.*s]", (int)job->inputs[i].value.size, job->inputs[i].value.data);
  }
  fprintf(out, "],\"forks\":[%d,%d,%d]}", forks[0], forks[1], forks[2]);
  if (fclose(out) != 0) abort();
  char* room = host->reserve(job, size);
  if (room != NULL) {
    memcpy(room, text, size);
    host->commit(job, size);
  }
  free(text);
}

static void run(void* self, const rm_host* host, const rm_job* jobs, size_t count) {
  (void)self;
  for (size_t i = 0; i < count; ++i)
    tell(host, &jobs[i]);
}

static int load(const rm_option* options, size_t count, void** self, char* error, size_t size) {
  (void)error, (void)size;
  tells* made = calloc(1, sizeof *made);
  for (size_t i = 0; i < count; ++i) {
    if (strcmp(options[i].key, "says") == 0) made->says = strdup(options[i].value);
  }
  *self = made;
  return 0;
}

static int self_test(void* self, char* error, size_t size) {
  (void)self, (void)error, (void)size;
  return 0;
}

static const char* describe(void* self) { return ((tells*)self)->says; }

static void unload(void* self) {
  free(((tells*)self)->says);
  free(self);
}

static const rm_handler kHandler = {.abi = RINGMASTER_HANDLER_ABI,
                                    .load = load,
                                    .run = run,
                                    .unload = unload,
                                    .self_test = self_test,
                                    .describe = describe,
                                    .before_fork = before_fork,
                                    .after_fork_parent = after_fork_parent,
                                    .after_fork_child = after_fork_child};

const rm_handler* ringmaster_handler(void) {
  return &kHandler;
}
