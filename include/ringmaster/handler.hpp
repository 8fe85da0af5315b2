// A ringmaster handler in C++: wraps the C ABI of handler.h. A complete handler:
//
//   #include <ringmaster/handler.hpp>
//
//   namespace {
//   struct Greet {
//     static constexpr const char* kDescription = R"({
//       "summary": "A friendly word.",
//       "params": [{"name": "who", "required": true, "schema": {"type": "string"}}],
//       "result": {"name": "greeting", "schema": {"type": "array"}}
//     })";
//     explicit Greet(ringmaster::Options& options) : word(options.text("word", "hello")) {}
//     std::string run(const ringmaster::Job& job) {
//       return "[\"" + word + "\"," + std::string(job.params()) + "]";
//     }
//     std::string word;
//   };
//   }  // namespace
//   RINGMASTER_HANDLER(Greet)
//
//   g++ -std=c++20 -shared -fPIC -o greet.so greet.cc
//
//   [handlers.greet]                          # ringmaster.toml
//   library = "/usr/local/lib/greet.so"
//   word    = "welcome"                       # read by options.text("word", ...)
//
// What a handler class has:
//
//   Handler(Options&) or Handler()            loads; once, before any worker is forked
//   kDescription                              optional; a static constexpr const char*: params and
//                                             result, see handler.h. Invalid params are refused
//                                             before run()
//   void warm_up()                            optional; touches the data of run(), before the fork
//   void self_test()                          optional; throws unless a known input gives a known
//                                             output; in a process of its own, before any traffic
//   one of
//     std::string run(const Job&)             returns the result (or a std::string_view of it)
//     void run(const Job&)                    answers by job.reserve() and commit(), without a copy
//     void run(std::span<const Job>)          serves jobs together, and answers each; gets several
//                                             jobs only if its section has batch = N
//
// Threads: as in handler.h: the constructor and warm_up() must leave no thread running; one thread
//          calls run().
// Errors:  every exception is caught here and never crosses the C ABI. An exception from the
//          constructor, warm_up() or self_test() is the reason why the handler is refused. From
//          run(), a Failure answers with its code and message, any other exception with
//          RM_HANDLER_FAILED and its what(). In the batch form the exception answers all jobs that
//          have no answer yet.
// Names:   put the class into an unnamed namespace, as above: all handlers of a server live in one
//          process, where two classes of the same name could be mixed up.
#pragma once

#include <concepts>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <ringmaster/handler.h>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ringmaster/options.hpp>

namespace ringmaster {

// Throw it in run() to answer the job with this error. Codes: see fail() in handler.h. `details`:
// one JSON value for the client's program, see fail_with_details() there; empty: none.
class Failure : public std::exception {
 public:
  Failure(int32_t code, std::string message, std::string details = {})
      : code_(code), message_(std::move(message)), details_(std::move(details)) {}
  int32_t code() const { return code_; }
  const std::string& message() const { return message_; }
  const std::string& details() const { return details_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  int32_t code_;
  std::string message_;
  std::string details_;
};

// One request at this step, and the functions that answer it. Valid until run() returns; params and
// inputs only until the job is answered.
class Job {
 public:
  Job(const rm_host& host, const rm_job& job) : host_(&host), job_(&job) {}

  // The request's params, a JSON object or array; empty when it has none. Read-only memory.
  std::string_view params() const { return text(job_->params); }

  // The outputs of the steps before this one, in their order: fetched bodies, handlers' results.
  // Bodies are unchecked: they may not be JSON.
  size_t input_count() const { return job_->input_count; }

  // input() and input_name() throw a Failure if there is no input `index`.
  std::string_view input(size_t index) const { return text(input_at(index).value); }
  // The name of the step's upstream or handler.
  std::string_view input_name(size_t index) const { return text(input_at(index).name); }

  // CLOCK_MONOTONIC in nanoseconds; past it the client does not wait for the result any more.
  uint64_t deadline_ns() const { return job_->deadline_ns; }

  // The name of the method that the client called.
  std::string_view method() const { return text(job_->method); }

  // The request's id, JSON as the client wrote it; empty: a notification.
  std::string_view id() const { return text(job_->id); }

  // The client's traceparent of W3C Trace Context; empty: it sent none.
  std::string_view traceparent() const { return text(job_->traceparent); }

  // Room for `size` bytes of result in the memory that the master reads. nullptr: more than
  // `limits.response_bytes`; the job has then been answered. May be called again with another size.
  [[nodiscard]] char* reserve(size_t size) const {
    char* room = host_->reserve(job_, size);
    if (room == nullptr) is_answered_ = true;
    return room;
  }

  // The first `size` reserved bytes are the result: one JSON value.
  void commit(size_t size) const {
    is_answered_ = true;
    host_->commit(job_, size);
  }

  // reserve(), copy and commit() in one.
  void answer(std::string_view json) const {
    char* room = reserve(json.size());
    if (room == nullptr) return;
    if (!json.empty()) std::memcpy(room, json.data(), json.size());
    commit(json.size());
  }

  // Answers this job with an error, as a thrown Failure does, but no other job of a batch.
  void fail(int32_t code, std::string_view message, std::string_view details = {}) const {
    is_answered_ = true;
    host_->fail_with_details(job_, code, message.data(), message.size(),
                             {details.data(), details.size()});
  }

  bool is_answered() const { return is_answered_; }

 private:
  static std::string_view text(rm_bytes bytes) { return {bytes.data, bytes.size}; }

  const rm_input& input_at(size_t index) const {
    if (index < job_->input_count) return job_->inputs[index];
    throw Failure(RM_HANDLER_FAILED, "expected an input " + std::to_string(index) + ", found " +
                                         std::to_string(job_->input_count) +
                                         " inputs: does a step before this one bring it?");
  }

  const rm_host* host_;
  const rm_job* job_;
  mutable bool is_answered_ = false;
};

template <class Handler>
concept RunsBatches = requires(Handler handler, std::span<const Job> jobs) {
  { handler.run(jobs) } -> std::same_as<void>;
};
template <class Handler>
concept RunsInPlace = requires(Handler handler, const Job& job) {
  { handler.run(job) } -> std::same_as<void>;
};
template <class Handler>
concept Returns = requires(Handler handler, const Job& job) {
  { handler.run(job) } -> std::convertible_to<std::string_view>;
};
template <class Handler>
concept WarmsUp = requires(Handler handler) {
  handler.warm_up();
};

template <class Handler>
concept TestsItself = requires(Handler handler) {
  handler.self_test();
};

template <class Handler>
concept Describes = requires {
  { Handler::kDescription } -> std::convertible_to<const char*>;
};

namespace detail {

// Calls `action`; passes any exception to `fail(code, message, details)`. Throws nothing, and needs
// no memory.
template <class Action, class Fail>
void guard(Action&& action, Fail&& fail) noexcept {
  try {
    action();
  } catch (const Failure& failure) {
    fail(failure.code(), failure.message(), failure.details());
  } catch (const std::exception& fault) {
    fail(RM_HANDLER_FAILED, fault.what(), "");
  } catch (...) {
    fail(RM_HANDLER_FAILED, "threw something that is not a std::exception", "");
  }
}

// `Library` is a type that no other shared object has, so that the linker cannot mix these
// functions up with those of another library in the process.
template <class Handler, class Library>
struct Glue {
  static_assert(RunsBatches<Handler> || RunsInPlace<Handler> || Returns<Handler>,
                "a handler has run(const Job&) or run(std::span<const Job>), see handler.hpp");

  static int load(const rm_option* options, size_t count, void** self, char* error,
                  size_t error_size) noexcept {
    return attempt(error, error_size, [&] {
      Options given({options, count});
      std::unique_ptr<Handler> handler;
      if constexpr (std::constructible_from<Handler, Options&>) {
        handler = std::make_unique<Handler>(given);
      } else {
        handler = std::make_unique<Handler>();
      }
      given.refuse_unknown();
      *self = handler.release();
    });
  }

  static int warm_up(void* self, char* error, size_t error_size) noexcept {
    return attempt(error, error_size, [&] {
      if constexpr (WarmsUp<Handler>) static_cast<Handler*>(self)->warm_up();
    });
  }

  static int self_test(void* self, char* error, size_t error_size) noexcept {
    return attempt(error, error_size, [&] {
      if constexpr (TestsItself<Handler>) static_cast<Handler*>(self)->self_test();
    });
  }

  static const char* describe(void*) noexcept {
    if constexpr (Describes<Handler>) return Handler::kDescription;
    return nullptr;
  }

  static void run(void* self, const rm_host* host, const rm_job* jobs, size_t count) noexcept {
    Handler& handler = *static_cast<Handler*>(self);
    if constexpr (RunsBatches<Handler>) {
      std::vector<Job> batch;
      guard(
          [&] {
            batch.reserve(count);
            for (size_t i = 0; i < count; ++i)
              batch.emplace_back(*host, jobs[i]);
            handler.run(std::span<const Job>(batch));
          },
          [&](int32_t code, std::string_view message, std::string_view details) {
            for (const Job& job : batch) {
              if (!job.is_answered()) job.fail(code, message, details);
            }
          });
    } else {
      for (size_t i = 0; i < count; ++i)
        run_one(handler, Job(*host, jobs[i]));
    }
  }

  static void unload(void* self) noexcept {
    guard([&] { delete static_cast<Handler*>(self); }, [](auto...) {});
  }

 private:
  static void run_one(Handler& handler, const Job& job) noexcept {
    guard(
        [&] {
          if constexpr (RunsInPlace<Handler>) {
            handler.run(job);
          } else {
            job.answer(handler.run(job));
          }
        },
        [&](int32_t code, std::string_view message, std::string_view details) {
          if (!job.is_answered()) job.fail(code, message, details);
        });
  }

  template <class Action>
  static int attempt(char* error, size_t error_size, Action&& action) noexcept {
    int result = 0;
    guard(action, [&](int32_t, std::string_view message, std::string_view) {
      result = 1;
      if (error_size == 0) return;
      std::snprintf(error, error_size, "%.*s", static_cast<int>(message.size()), message.data());
    });
    return result;
  }
};

template <class Handler, class Library>
constexpr rm_handler make_handler() {
  using Functions = Glue<Handler, Library>;
  return {RINGMASTER_HANDLER_ABI,
          Functions::load,
          WarmsUp<Handler> ? Functions::warm_up : nullptr,
          Functions::run,
          Functions::unload,
          TestsItself<Handler> ? Functions::self_test : nullptr,
          Describes<Handler> ? Functions::describe : nullptr,
          nullptr,
          nullptr,
          nullptr,
          nullptr,
          nullptr,
          nullptr,
          nullptr};
}

}  // namespace detail
}  // namespace ringmaster

// Makes a class the handler of this shared object. Use once, at global scope.
#define RINGMASTER_HANDLER(Handler)                                       \
  namespace {                                                             \
  struct RingmasterLibrary {};                                            \
  }                                                                       \
  extern "C" const rm_handler* ringmaster_handler() {                     \
    static constexpr rm_handler kHandler =                                \
        ::ringmaster::detail::make_handler<Handler, RingmasterLibrary>(); \
    return &kHandler;                                                     \
  }
