/* scribbles: a handler that writes where it must not: {"gate": "GATE", "memory": "control",
 * "offset": N, "hex": "ff", "times": N}. It adds its pid to GATE.started, waits until GATE exists,
 * writes those bytes so many times into the memory of that name which it has mapped, and then waits to
 * be killed: what it has written stays as it is. */
#include <ringmaster/handler.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The text after a key, as the tests write it: without blanks and escapes. */
static void copy_member(rm_bytes json, const char* key, char* out) {
  char form[64];
  const char* at = memmem(json.data, json.size, key, strlen(key));
  snprintf(form, sizeof form, "%s\":%%*[\"]%%1023[^\"]", key);
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

static void scribble(rm_bytes params) {
  char gate[1024], started[1100], name[1024], hex[1024];
  copy_member(params, "gate", gate);
  copy_member(params, "memory", name);
  copy_member(params, "hex", hex);
  snprintf(started, sizeof started, "%s.started", gate);
  FILE* file = fopen(started, "a");
  fprintf(file, "%d\n", (int)getpid());
  fclose(file);
  while (access(gate, F_OK) != 0) usleep(1000);

  volatile char* at = find_memory(name) + number_member(params, "offset");
  for (long i = number_member(params, "times"); i > 0; --i) {
    for (const char* digits = hex; *digits != '\0'; digits += 2) {
      const char byte[] = {digits[0], digits[1], '\0'};
      *at++ = (char)strtol(byte, NULL, 16);
    }
  }
  for (;;) pause();
}

static void run(void* self, const rm_host* host, const rm_job* jobs, size_t count) {
  (void)self, (void)host, (void)count;
  scribble(jobs[0].params);
}

static int load(const rm_option* options, size_t count, void** self, char* error, size_t size) {
  (void)options, (void)count, (void)error, (void)size;
  *self = NULL;
  return 0;
}

static const rm_handler kHandler = {RINGMASTER_HANDLER_ABI, load, NULL, run, NULL};

const rm_handler* ringmaster_handler(void) { return &kHandler; }
