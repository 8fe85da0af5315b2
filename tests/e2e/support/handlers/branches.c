/* branches: a handler that spends CPU time as its params say: {"normal_ms": 2, "slow_ms": 40} is
 * 2 ms in normal_branch() and 40 ms in slow_branch(), which it calls only if slow_ms is above 0.
 * Then it answers null, unless the params say otherwise: "end": "fail", "abort" or "never". */
#include <ringmaster/handler.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char scratch[1 << 16];

static double cpu_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* Spends most of the time in a function of the C library that has no frame of its own. */
__attribute__((noinline)) static int use_cpu(double ms) {
  int rounds = 0;
  for (const double end = cpu_ms() + ms; cpu_ms() < end; ++rounds)
    memset(scratch, rounds, sizeof scratch);
  return rounds + scratch[rounds % (int)sizeof scratch];
}

/* The addition after the call keeps the compiler from making it a jump. */
__attribute__((noinline)) static int normal_branch(double ms) { return use_cpu(ms) + 1; }
__attribute__((noinline)) static int slow_branch(double ms) { return use_cpu(ms) + 2; }
__attribute__((noinline)) static int endless_branch(void) {
  int sum = 0;
  for (;;) sum += use_cpu(1);
  return sum;
}

static double member(rm_bytes json, const char* key) {
  const char* at = memmem(json.data, json.size, key, strlen(key));
  return at == NULL ? 0 : strtod(at + strlen(key), NULL);
}

static int ends_with(rm_bytes json, const char* how) {
  return memmem(json.data, json.size, how, strlen(how)) != NULL;
}

static void run_one(const rm_host* host, const rm_job* job) {
  int sum = normal_branch(member(job->params, "\"normal_ms\":"));
  const double slow_ms = member(job->params, "\"slow_ms\":");
  if (slow_ms > 0) sum += slow_branch(slow_ms);
  if (ends_with(job->params, "\"abort\"")) abort();
  if (ends_with(job->params, "\"never\"")) sum += endless_branch();
  if (ends_with(job->params, "\"fail\"")) return host->fail(job, 1, "as it was told", 14);
  char* room = host->reserve(job, 4);
  if (room == NULL) return;
  memcpy(room, sum == 0 ? "true" : "null", 4);
  host->commit(job, 4);
}

static void run(void* self, const rm_host* host, const rm_job* jobs, size_t count) {
  (void)self;
  for (size_t i = 0; i < count; ++i) run_one(host, &jobs[i]);
}

static int load(const rm_option* options, size_t count, void** self, char* error, size_t size) {
  (void)options, (void)count, (void)error, (void)size;
  *self = NULL;
  return 0;
}

static const rm_handler kHandler = {RINGMASTER_HANDLER_ABI, load, NULL, run, NULL};

const rm_handler* ringmaster_handler(void) { return &kHandler; }
