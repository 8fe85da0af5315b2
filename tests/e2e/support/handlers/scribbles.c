/* scribbles: a handler that writes where it must not: {"gate": "GATE", "memory": "control",
 * "offset": N, "hex": "ff", "times": N}. It adds its pid to GATE.started, waits until GATE exists,
 * and writes the bytes `hex`, `times` times in a row, to `offset` of its mapping of the memory.
 * Then it waits to be killed: the written bytes stay. With "pretend": true it answers before it
 * writes, and writes the same again every 5 ms. */
#include <ringmaster/handler.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The text after a key, as the tests write it: without blanks and escapes. */
static void copy_member(rm_bytes json, const char* key, char* out) {
  char form[64];
  const char* at = memmem(json.data, json.size, key, strlen(key));
  snprintf(form, sizeof form, "%s\":%%*[\"]%%2047[^\"]", key);
  if (at == NULL || sscanf(at, form, out) != 1) abort();
}

static long number_member(rm_bytes json, const char* key) {
  const char* at = memmem(json.data, json.size, key, strlen(key));
  if (at == NULL) abort();
  return strtol(at + strlen(key) + 2, NULL, 10);
}

static char* find_memory(const char* name) {
  char line[512];
  unsigned long start = 0;
  FILE* maps = fopen("/proc/self/maps", "r");
  while (fgets(line, sizeof line, maps) != NULL) {
    if (strstr(line, name) != NULL && sscanf(line, "%lx", &start) == 1) break;
  }
  fclose(maps);
  return (char*)start;
}

static void write_bytes(volatile char* at, const char* hex, long times) {
  for (; times > 0; --times) {
    for (const char* digits = hex; *digits != '\0'; digits += 2) {
      const char byte[] = {digits[0], digits[1], '\0'};
      *at++ = (char)strtol(byte, NULL, 16);
    }
  }
}

static void scribble(const rm_host* host, const rm_job* job) {
  const rm_bytes params = job->params;
  char gate[2048], started[2100], name[2048], hex[2048];
  copy_member(params, "gate", gate);
  copy_member(params, "memory", name);
  copy_member(params, "hex", hex);
  const long offset = number_member(params, "offset"), times = number_member(params, "times");
  const int pretends = memmem(params.data, params.size, "\"pretend\"", 9) != NULL;
  snprintf(started, sizeof started, "%s.started", gate);
  FILE* file = fopen(started, "a");
  fprintf(file, "%d\n", (int)getpid());
  fclose(file);
  while (access(gate, F_OK) != 0) usleep(1000);

  if (pretends) {
    memcpy(host->reserve(job, 4), "null", 4);
    host->commit(job, 4);
  }
  do {
    write_bytes(find_memory(name) + offset, hex, times);
    usleep(5000);
  } while (pretends);
  for (;;) pause();
}

static void run(void* self, const rm_host* host, const rm_job* jobs, size_t count) {
  (void)self, (void)count;
  scribble(host, &jobs[0]);
}

static int load(const rm_option* options, size_t count, void** self, char* error, size_t size) {
  (void)options, (void)count, (void)error, (void)size;
  *self = NULL;
  return 0;
}

static const rm_handler kHandler = {RINGMASTER_HANDLER_ABI, load, NULL, run, NULL};

const rm_handler* ringmaster_handler(void) { return &kHandler; }
