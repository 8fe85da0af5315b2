/* probe: a handler that does what its section of the configuration says: behave = "...".
 *
 * With "hold" a test decides when a job ends: run() adds its pid as a line to GATE.started, waits
 * until the file GATE exists, then answers with its params: {"gate": "GATE", ...}.
 * Any other value is one thing that a good handler does (subtract, join, ...) or must not do. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <ringmaster/handler.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { kPathBytes = 4096, kResultBytes = 1 << 16 };

typedef struct probe {
  char behave[64];
  char gate[kPathBytes];
} probe;

static void wait_for_file(const char* path) {
  while (access(path, F_OK) != 0) usleep(1000);
}

static void mark_started(const char* gate) {
  char path[kPathBytes + 16];
  snprintf(path, sizeof path, "%s.started", gate);
  FILE* file = fopen(path, "a");
  fprintf(file, "%d\n", (int)getpid());
  fclose(file);
}

static void answer(const rm_host* host, const rm_job* job, const char* text, size_t size) {
  char* room = host->reserve(job, size);
  if (room == NULL) return;
  memcpy(room, text, size);
  host->commit(job, size);
}

static void answer_text(const rm_host* host, const rm_job* job, const char* text) {
  answer(host, job, text, strlen(text));
}

/* The value of a string member without escapes. */
static void text_member(rm_bytes json, const char* key, char* out, size_t out_size) {
  char quoted[64];
  snprintf(quoted, sizeof quoted, "\"%s\":", key);
  const char* at = memmem(json.data, json.size, quoted, strlen(quoted));
  const char* end = json.data + json.size;
  out[0] = '\0';
  if (at == NULL || (at = memchr(at + strlen(quoted), '"', (size_t)(end - at) - strlen(quoted))) == NULL) return;
  const char* stop = memchr(at + 1, '"', (size_t)(end - at - 1));
  if (stop != NULL) snprintf(out, out_size, "%.*s", (int)(stop - at - 1), at + 1);
}

static long number_member(rm_bytes json, const char* key) {
  char quoted[64];
  snprintf(quoted, sizeof quoted, "\"%s\":", key);
  const char* at = memmem(json.data, json.size, quoted, strlen(quoted));
  return at == NULL ? 0 : strtol(at + strlen(quoted), NULL, 10);
}

static void hold(const rm_host* host, const rm_job* job) {
  char gate[kPathBytes];
  text_member(job->params, "gate", gate, sizeof gate);
  mark_started(gate);
  wait_for_file(gate);
  answer(host, job, job->params.data, job->params.size);
}

/* Answers with the number that one read(2) returns from GATE, a FIFO. */
static void read_from_gate(const rm_host* host, const rm_job* job) {
  char gate[kPathBytes];
  text_member(job->params, "gate", gate, sizeof gate);
  const int fd = open(gate, O_RDONLY | O_CLOEXEC);
  mark_started(gate);
  char text[16];
  const ssize_t size = read(fd, text, sizeof text);
  close(fd);
  if (size > 0) {
    answer(host, job, text, (size_t)size);
  } else {
    const char* why = strerror(errno);
    host->fail(job, RM_HANDLER_FAILED, why, strlen(why));
  }
}

/* Answers with the params and all inputs, in their order: [params, input, ...]. */
static void join(const rm_host* host, const rm_job* job) {
  size_t size = 2 + job->params.size;
  for (size_t i = 0; i < job->input_count; ++i) size += 1 + job->inputs[i].value.size;
  char* room = host->reserve(job, size);
  if (room == NULL) return;
  char* at = room;
  *at++ = '[';
  at = (char*)memcpy(at, job->params.data, job->params.size) + job->params.size;
  for (size_t i = 0; i < job->input_count; ++i) {
    *at++ = ',';
    const rm_bytes value = job->inputs[i].value;
    at = (char*)memcpy(at, value.data, value.size) + value.size;
  }
  *at = ']';
  host->commit(job, size);
}

/* Answers {"size": N} with a JSON string of N bytes, quotes included. */
static void give_bytes(const rm_host* host, const rm_job* job) {
  const size_t size = (size_t)number_member(job->params, "size");
  char* room = host->reserve(job, size);
  if (room == NULL) return;
  memset(room, 'x', size);
  room[0] = room[size - 1] = '"';
  host->commit(job, size);
}

/* The methods subtract and sum of the JSON-RPC specification's examples. */
static void calculate(const rm_host* host, const rm_job* job, int is_sum) {
  char text[32];
  long total = 0;
  if (job->params.data[0] == '{') {
    total = number_member(job->params, "minuend") - number_member(job->params, "subtrahend");
  } else {
    const char* at = job->params.data;
    for (int i = 0; *at != ']'; ++i) {
      char* end;
      const long number = strtol(at + 1, &end, 10);
      total += i == 0 || is_sum ? number : -number;
      for (at = end; *at != ',' && *at != ']';) ++at;
    }
  }
  snprintf(text, sizeof text, "%ld", total);
  answer_text(host, job, text);
}

/* Calls itself until the stack has no room left. */
static __attribute__((noinline)) size_t overflow(const volatile char* above) {
  volatile char frame[4096];
  frame[0] = *above;
  return overflow(frame) + (size_t)frame[1];
}

/* Writes the bytes of {"hex": "6869|0a"}, one write(2) for each part, and then aborts if
 * {"then": "abort"}. */
static void print_hex(const rm_host* host, const rm_job* job) {
  char hex[8192], then[16], part[4096];
  text_member(job->params, "hex", hex, sizeof hex);
  text_member(job->params, "then", then, sizeof then);
  size_t size = 0;
  for (const char* at = hex;; ) {
    if (*at == '|' || *at == '\0') {
      if (write(STDOUT_FILENO, part, size) != (ssize_t)size) return;
      size = 0;
      if (*at++ == '\0') break;
      usleep(20000);
      continue;
    }
    const char byte[] = {at[0], at[1], '\0'};
    part[size++] = (char)strtol(byte, NULL, 16);
    at += 2;
  }
  if (strcmp(then, "abort") == 0) abort();
  answer_text(host, job, "\"written\"");
}

static void print_for_ever(const char* line) {
  char lines[4096];
  for (size_t i = 0; i < sizeof lines; ++i) lines[i] = line[i % strlen(line)];
  for (;;)
    if (write(STDERR_FILENO, lines, sizeof lines) < 0) pause();
}

static __attribute__((noinline)) void misbehave(const char* how, const rm_host* host, const rm_job* job) {
  if (strcmp(how, "exits") == 0) {
    exit(0);
  } else if (strcmp(how, "aborts") == 0 || strcmp(how, "handles_signals") == 0) {
    abort();
  } else if (strcmp(how, "crashes") == 0) {
    *(volatile int*)8 = 1;
  } else if (strcmp(how, "eats_memory") == 0) {
    for (;;) memset(malloc(1 << 20), 1, 1 << 20);
  } else if (strcmp(how, "overflows") == 0) {
    overflow(how);
  } else if (strcmp(how, "writes_params") == 0) {
    *(volatile char*)job->params.data = '!';
    answer_text(host, job, "\"written\"");
  } else if (strcmp(how, "writes_input") == 0) {
    *(volatile char*)job->inputs[0].value.data = '!';
    answer_text(host, job, "\"written\"");
  } else if (strcmp(how, "invalid_json") == 0) {
    answer_text(host, job, "{\"unfinished\":");
  } else if (strcmp(how, "trailing_garbage") == 0) {
    answer_text(host, job, "{} {}");
  } else if (strcmp(how, "empty") == 0) {
    answer_text(host, job, "");
  } else if (strcmp(how, "unreserved") == 0) {
    host->commit(job, 2);
  } else if (strcmp(how, "commits_too_much") == 0) {
    char* room = host->reserve(job, 2);
    memcpy(room, "\"a\"", 3);
    host->commit(job, 3);
  } else if (strcmp(how, "prints") == 0) {
    const ssize_t written = write(STDERR_FILENO, "a line\n", 7);
    answer_text(host, job, written == 7 ? "\"written\"" : errno == EPIPE ? "\"no reader\"" : "\"?\"");
  } else if (strcmp(how, "prints_hex") == 0) {
    print_hex(host, job);
  } else if (strcmp(how, "prints_stdio") == 0) {
    printf("by stdio\nwithout an end");
    answer_text(host, job, "\"printed\"");
  } else if (strcmp(how, "prints_stdio_and_stays") == 0) {
    printf("by stdio\nwithout an end");
    answer_text(host, job, "\"printed\"");
    for (;;) pause();
  } else if (strcmp(how, "prints_for_ever") == 0) {
    print_for_ever("x\n");
  } else if (strcmp(how, "prints_one_line_for_ever") == 0) {
    print_for_ever("x");
  } else if (strcmp(how, "reads") == 0) {
    read_from_gate(host, job);
  } else if (strcmp(how, "answers_twice") == 0) {
    answer_text(host, job, "\"first\"");
    answer_text(host, job, "\"second\"");
    host->fail(job, RM_HANDLER_FAILED, "third", 5);
  } else if (strcmp(how, "stays") == 0) {
    answer_text(host, job, "\"answered\"");
    for (;;) pause();
  } else if (strcmp(how, "fails") == 0) {
    host->fail(job, 7, "expected luck, found none", 25);
  } else if (strcmp(how, "fails_with_params") == 0) {
    host->fail_with_details(job, 7, "see\0unseen", 10, job->params);
  } else if (strcmp(how, "fails_with_text") == 0) {
    const rm_bytes details = {"{no", 3};
    host->fail_with_details(job, 7, "see", 3, details);
  } else if (strcmp(how, "says_much") == 0) {
    char text[5000];
    memset(text, 'x', sizeof text);
    host->fail(job, RM_HANDLER_FAILED, text, sizeof text);
  } else if (strcmp(how, "refuses_params") == 0) {
    host->fail(job, RM_INVALID_PARAMS, "expected user_id", 16);
  } else if (strcmp(how, "grows") == 0) {
    const size_t size = (size_t)number_member(job->params, "size");
    /* Mapped, not allocated, so that no sanitizer takes the memory for a leak. */
    volatile char* grown = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < size; i += 4096) grown[i] = 1;
    answer_text(host, job, "\"grown\"");
  } else if (strcmp(how, "ignores_sigterm") == 0) {
    signal(SIGTERM, SIG_IGN);
    answer_text(host, job, "\"ignored\"");
  } else if (strcmp(how, "pretty") == 0) {
    answer_text(host, job, "{\n  \"a\": 1,\r\n  \"b\": \"\\n\"\n}\n");
  } /* "silent": no answer at all */
}

static void run_one(const probe* self, const rm_host* host, const rm_job* job) {
  const char* behave = self->behave;
  if (strcmp(behave, "hold") == 0) {
    hold(host, job);
  } else if (strcmp(behave, "join") == 0) {
    join(host, job);
  } else if (strcmp(behave, "give_bytes") == 0) {
    give_bytes(host, job);
  } else if (strcmp(behave, "subtract") == 0 || strcmp(behave, "sum") == 0) {
    calculate(host, job, behave[1] == 'u' && behave[2] == 'm');
  } else if (strcmp(behave, "get_data") == 0) {
    answer_text(host, job, "[\"hello\", 5]");
  } else if (strcmp(behave, "raises_sigrtmax") == 0) {
    raise(SIGRTMAX);
    answer_text(host, job, "null");
  } else {
    misbehave(behave, host, job);
  }
}

static void run(void* self, const rm_host* host, const rm_job* jobs, size_t count) {
  for (size_t i = 0; i < count; ++i) run_one(self, host, &jobs[i]);
}

static void* wait_for_ever(void* unused) {
  pause();
  return unused;
}

static void leave_with_7(int signal) {
  (void)signal;
  _exit(7);
}

static int load(const rm_option* options, size_t count, void** self, char* error, size_t size) {
  probe* made = calloc(1, sizeof *made);
  for (size_t i = 0; i < count; ++i) {
    const int is_gate = strcmp(options[i].key, "gate") == 0;
    snprintf(is_gate ? made->gate : made->behave, is_gate ? kPathBytes : 64, "%s", options[i].value);
  }
  *self = made;
  if (strcmp(made->behave, "prints_in_load") == 0) fprintf(stderr, "loading\nlevel=error role=master\n");
  if (strcmp(made->behave, "does_not_load") == 0) {
    snprintf(error, size, "expected a model, found a probe");
    free(made);
    return 1;
  }
  if (strcmp(made->behave, "opens") == 0 && access(made->gate, R_OK) != 0) {
    snprintf(error, size, "cannot open %.200s", made->gate);
    free(made);
    return 1;
  }
  if (strcmp(made->behave, "leaves_a_thread") == 0) {
    pthread_t thread;
    pthread_create(&thread, NULL, wait_for_ever, NULL);
  }
  if (strcmp(made->behave, "crashes_in_load") == 0) raise(9);
  if (strcmp(made->behave, "hangs_in_load") == 0) pause();
  if (strcmp(made->behave, "handles_signals") == 0) signal(SIGABRT, leave_with_7);
  if (made->gate[0] != '\0' && strcmp(made->behave, "opens") != 0) {
    mark_started(made->gate);
    wait_for_file(made->gate);
  }
  return 0;
}

static int warm_up(void* self, char* error, size_t size) {
  if (strcmp(((probe*)self)->behave, "does_not_warm_up") != 0) return 0;
  snprintf(error, size, "expected a warm place");
  return 1;
}

static int self_test(void* self, char* error, size_t size) {
  const probe* made = self;
  if (strcmp(made->behave, "crashes_in_self_test") == 0) raise(SIGKILL);
  if (strcmp(made->behave, "exits_in_self_test") == 0) exit(3);
  if (strcmp(made->behave, "hangs_in_self_test") == 0) pause();
  for (int fd = 3; fd <= 7; ++fd) {
    if (fcntl(fd, F_GETFL) < 0) continue;
    snprintf(error, size, "expected the fork server's descriptors to be closed, found %d", fd);
    return 1;
  }
  if (strcmp(made->behave, "needs_sandbox_in_self_test") == 0 && socket(AF_INET, SOCK_STREAM, 0) >= 0) {
    snprintf(error, size, "expected a sandbox, found a socket");
    return 1;
  }
  if (strcmp(made->behave, "fails_self_test") != 0) return 0;
  snprintf(error, size, "expected 42, found 41");
  return 1;
}

static const rm_handler kHandler = {RINGMASTER_HANDLER_ABI, load, warm_up, run, free, self_test};

const rm_handler* ringmaster_handler(void) { return &kHandler; }
