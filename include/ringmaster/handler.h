/* The C ABI of a ringmaster handler: a shared object that turns jobs into results.
 *
 * A handler is loaded once per generation, by the fork server, before any worker exists:
 *
 *   fork server:  dlopen -> ringmaster_handler() -> load() -> describe() -> warm_up() -> fork, fork
 *   canary:   self_test(), in a process that is forked before all workers, and ends after the test
 *   worker:   run(), run(), run() ... until the worker is stopped or dies
 *
 * so all workers share what load() builds (a model, a table), copy-on-write.
 *
 * Threads:  load() and warm_up() must leave no thread behind: a process with threads cannot be
 *           forked safely, and the generation is refused. A child process that they leave behind
 *           is killed, and the generation is refused, too. Each worker is one thread and calls
 *           run() from that thread only.
 * Memory:   everything that the host passes in is owned by the host and valid until the call
 *           returns; a job's params and inputs only until the job is answered: then the memory may
 *           be another job's. They are mapped read-only: writing to them ends the worker.
 *           The handler owns what load() returns, until unload().
 * Sandbox:  run() has CPU, memory, threads and files; the network, other programs and processes,
 *           and privileges are refused with EPERM, unless the configuration says sandbox = false.
 *           load() and warm_up() are not restricted.
 * Signals:  SIGPIPE is ignored, so that a handler that prints survives the end of the master: the
 *           write fails with EPIPE. A handler may set another action for SIGPIPE.
 *           SIGRTMAX belongs to the worker, with SA_RESTART, if a handler has an interrupt().
 *           SIGRTMAX - 1 belongs to the worker, too: it samples the thread in run() each 10 ms of
 *           its CPU time, unless the configuration says profile = false.
 *           SIGRTMAX - 2 belongs to the worker, too: it asks for the worker's stack while a job
 *           takes longer than its method's slow_ms. It ends a sleep, poll or select with EINTR.
 *           A worker that must leave gets SIGTERM. System calls that SIGTERM interrupts are
 *           restarted (SA_RESTART).
 * Failures: run() calls fail() for a job that it cannot serve. A crash interrupts only the
 *           jobs in hand: other workers run them again, one by one, each at most as often as its
 *           method's `attempts`. No C++ exception may leave any of these functions.
 * Text:     JSON in UTF-8 everywhere, with its length; nothing is NUL-terminated unless it says so.
 * Params:   are checked against the handler's description, where it has one, before run().
 *
 * A C++ author includes handler.hpp instead, where a complete handler takes ten lines.
 */
#ifndef RINGMASTER_HANDLER_H
#define RINGMASTER_HANDLER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bumped whenever this file changes in a way that breaks compiled handlers. */
#define RINGMASTER_HANDLER_ABI 5u

/* After the last byte of params and of every input, this many bytes may be read (not used), so that
 * parsers which read ahead in wide registers need no copy. Their values are unspecified. */
#define RINGMASTER_READABLE_PADDING 64u

/* The longest description that a handler may have. */
#define RINGMASTER_DESCRIPTION_BYTES_MAX 61440u

/* Codes for fail(), of JSON-RPC 2.0 and of ringmaster. */
enum {
  RM_INVALID_PARAMS = -32602,  /* the request is wrong: the message names the parameter */
  RM_UPSTREAM_FAILED = -32015, /* a fetched body is wrong: the message names the field */
  RM_OVERRAN = -32012,         /* the job was interrupted: see interrupt() */
  RM_HANDLER_FAILED = -32000,  /* anything else */
};

typedef struct rm_bytes {
  const char* data;
  size_t size;
} rm_bytes;

/* The output of a step before this one. */
typedef struct rm_input {
  rm_bytes name;  /* of the step's upstream or handler, as in the configuration */
  rm_bytes value; /* the body of a fetch step, or the result of a run step */
} rm_input;

/* One request, at this step. */
typedef struct rm_job {
  rm_bytes params; /* the request's params, a JSON object or array; size 0 when it has none */
  const rm_input* inputs; /* the outputs of the steps before this one, in their order */
  size_t input_count;
  uint64_t deadline_ns; /* CLOCK_MONOTONIC; past it no client waits for the result */
  rm_bytes method;      /* the name of the method that the client called */
  rm_bytes id;          /* the request's id, JSON as the client wrote it; size 0: a notification */
  rm_bytes traceparent; /* of W3C Trace Context, as the client sent it; size 0: none */
} rm_job;

/* What a worker offers its handler. A handler ends every job with one commit() or one
 * fail(): a job without either is answered with -32603. */
typedef struct rm_host {
  /* Room for `size` bytes of result, directly in the shared memory that the master reads.
   * NULL when that is more than `limits.response_bytes`: the job has then been answered (-32008).
   * Valid until the next call of any of these functions, for any job. May be called again
   * with another size; the bytes written so far are lost. */
  char* (*reserve)(const rm_job* job, size_t size);
  /* The first `size` reserved bytes are the result: one JSON value. A job for
   * which a handler commits more than it has reserved is answered with -32603. */
  void (*commit)(const rm_job* job, size_t size);
  /* The job failed. `code` is one of the codes above, or any code outside of -32768..-32000 that
   * the method's users know; `message` says what was expected and what was found. */
  void (*fail)(const rm_job* job, int32_t code, const char* message, size_t message_size);
  /* The same, with details for the client's program: one JSON value, which becomes the member
   * `details` of the error's data. A job whose details are not JSON is answered with -32603, one
   * whose details and message are longer than `limits.response_bytes` with -32008. */
  void (*fail_with_details)(const rm_job* job, int32_t code, const char* message,
                            size_t message_size, rm_bytes details);
  /* 1: `debug` in [workers] is true. Details may then tell of the handler's code: a stack, values.
   * 0: clients must not learn such things. */
  uint32_t debug;
  /* `limits.response_bytes`: the longest result, and the longest message with its details. */
  uint64_t response_bytes;
} rm_host;

/* One key of the handler's section in the configuration file and its value, both NUL-terminated. A
 * TOML string, a date or a time is given as its text, any other value as JSON. `library` is left
 * out; the value of `model`, and of every key that ends in `_file`, is an absolute path. */
typedef struct rm_option {
  const char* key;
  const char* value;
} rm_option;

typedef struct rm_handler {
  uint32_t abi; /* RINGMASTER_HANDLER_ABI of the header that it was compiled with */

  /* Builds the state that run() needs. Must refuse unknown options. On failure: writes a
   * NUL-terminated reason into `error` (at most error_size bytes) and returns non-zero. */
  int (*load)(const rm_option* options, size_t option_count, void** self, char* error,
              size_t error_size);

  /* Called once after load(), before any fork: touch the model, fill the caches. NULL: nothing to
   * do. Fails as load() does. */
  int (*warm_up)(void* self, char* error, size_t error_size);

  /* Serves `count` >= 1 jobs: one, or if the handler's section says batch = N, up to N that wait.
   * May serve them in any order and together. Must return once all are answered: a worker
   * whose handler has not returned a second later is replaced. */
  void (*run)(void* self, const rm_host* host, const rm_job* jobs, size_t count);

  /* Frees what load() built. NULL: nothing to do. */
  void (*unload)(void* self);

  /* Tests what load() built before its generation gets any jobs: a known input must give a known
   * output. Called in a process of its own, forked as workers are. NULL: no test. Fails as load()
   * does; a crash is a failure, too. The generation is then refused. */
  int (*self_test)(void* self, char* error, size_t error_size);

  /* The handler's params and result, for clients: see below. Called once, after load(); the text
   * lives until unload(). NULL, or returns NULL: there is no description. */
  const char* (*describe)(void* self);

  /* Called in the fork server around each fork of a canary, a worker or a spare: before the fork,
   * and after it in either process. NULL: nothing to do. Each library is called once, however many
   * handlers it serves: after a fork in the order in which libraries were loaded, before it in the
   * reverse order. A spare may wait for days between after_fork_child() and its first
   * job. */
  void (*before_fork)(void);
  void (*after_fork_parent)(void);
  void (*after_fork_child)(void);

  /* Called when the jobs in hand overrun: up to 50 ms before the first unanswered one has used up
   * the timeout_ms of its method. At that timeout the server ends the worker, unless the handler
   * has answered its jobs and returned. Called in a signal handler of the thread that is in run(),
   * so it may call async-signal-safe functions only. NULL: nothing to do. */
  void (*interrupt)(void* self);

  /* Writes the stack of the handler's own language, as text, to fd. Called in a signal handler,
   * before interrupt() and when run() crashes: async-signal-safe functions only. The text becomes
   * lines of the log, after a crash 3 KiB at most. NULL: nothing to write. */
  void (*write_stack)(void* self, int fd);

  /* The frames of the handler's own language, for the tail profile. NULL: it has none of its own.
   * Called in a signal handler of the thread that is in run(), while the native stack is walked
   * from the inside out: for each native frame after the first one, with its stack pointer. If the
   * native frame that came before belongs to an interpreter, writes the frames which that one ran,
   * innermost first and frames_max at most, and returns their number: they replace the native
   * frame. Else returns 0. A frame is any number that tells a function from all others. `*place` is
   * the handler's own, and NULL when a walk begins. Async-signal-safe functions only, no lock. A
   * fault ends the walk, and not the worker, unless the handler handles SIGSEGV itself. */
  size_t (*frames)(void* self, const void** place, uintptr_t stack_pointer, uint64_t* frames,
                   size_t frames_max);
  /* Called in the fork server: writes the NUL-terminated name of a function that frames() gave in a
   * worker, and returns 0; else returns non-zero. `frame` may be any number, since a worker can be
   * hostile, and also the address of a native function. NULL if frames() is. */
  int (*frame_name)(void* self, uint64_t frame, char* name, size_t name_size);
} rm_handler;

/* A description is a JSON object, NUL-terminated, at most RINGMASTER_DESCRIPTION_BYTES_MAX long and
 * nested at most 64 deep. Clients get it by rpc.discover, as part of each method that runs the
 * handler. Its members are those of OpenRPC 1.2.6's Method Object that a handler can know, each of
 * them optional (https://spec.open-rpc.org):
 *
 *   summary, description   one line of text; a longer text
 *   params                 [{"name": "cpu_ms", "schema": {...}, "required": true, ...}, ...]: name
 *                          and schema must be there; summary, description and deprecated may.
 *                          Required parameters come before optional ones
 *   paramStructure         "by-name", "by-position" or "either", which is the default
 *   result                 an object with the same members as one of params
 *   examples               [{"name": ..., "params": [{"name": ..., "value": ...}, ...],
 *                          "result": {"name": ..., "value": ...}}, ...]
 *
 * The description of a handler that doubles a number:
 *
 *   {"summary": "Twice a number.",
 *    "params": [{"name": "number", "required": true, "schema": {"type": "number"}}],
 *    "result": {"name": "double", "schema": {"type": "number"}},
 *    "examples": [{"name": "of two", "params": [{"name": "number", "value": 2}],
 *                  "result": {"name": "double", "value": 4}}]}
 *
 * Where params are declared, a job with invalid params is answered with RM_INVALID_PARAMS and a
 * message that names the place, "params/number: expected type number, found \"2\""; run() does not
 * get it. Missing params count as empty ones. Params by name may have further members: other steps,
 * or `_meta`, may need them. A required parameter may be missing if a step before has its name: the
 * output of that step stands for it. Results are not checked.
 * The check does not look into a value without constraints, or into an object or array of which
 * only the type is declared: there a string may have lone surrogates, and a number may be beyond a
 * double. Anywhere else these are refused.
 *
 * A schema is JSON Schema, draft 7. In params' schemas the keywords below are enforced, annotations
 * (title, description, default, examples, format, $comment, deprecated) are ignored, and any other
 * keyword is refused when the handler is loaded, since it would not be enforced:
 *
 *   type  enum  const  allOf  anyOf  oneOf  not
 *   minimum  maximum  exclusiveMinimum  exclusiveMaximum  multipleOf
 *   minLength  maxLength
 *   properties  required  additionalProperties  minProperties  maxProperties
 *   items  additionalItems  minItems  maxItems
 *
 * An integer may be written 2.0, and has at most 64 bits; numbers of a schema are from -2^62 to
 * 2^62, and multipleOf is an integer. enum and const are for scalars. They compare by a hash that
 * can be forged, so run() itself must check values that its safety depends on. It must also check
 * what the keywords cannot express (a pattern, a $ref). */

/* The one symbol that a handler exports. The result lives as long as the library is loaded. */
#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
const rm_handler*
ringmaster_handler(void);

#ifdef __cplusplus
}
#endif

#endif
