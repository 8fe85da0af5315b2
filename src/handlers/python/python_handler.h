// PythonHandler: one section [handlers.NAME] with `python = "FILE.py:NAME"`.
//
// Processes: loaded and warmed up by the fork server; tested by a canary; run by the workers.
// Views:     a memoryview that the handler's function gets is valid only during the job. A handler
//            that keeps one would read other requests' data later: so the worker of such a handler
//            is ended, once its jobs are answered.
// Garbage:   Python's collector is off. The worker collects cycles between jobs, once in
//            kCollectEveryJobs, after the answers have left.
#pragma once

#include <csignal>
#include <memory>
#include <ringmaster/handler.h>
#include <span>
#include <string>
#include <vector>

#include "handlers/python/arguments.h"
#include "handlers/python/json_writer.h"

namespace ringmaster::python {

class PythonHandler {
 public:
  // Returns null and sets `fault` if it fails.
  static std::unique_ptr<PythonHandler> load(std::span<const rm_option> options,
                                             std::string& fault);

  // Return false and set `fault` if they fail.
  bool warm_up(std::string& fault) { return call("warm_up", fault); }
  bool self_test(std::string& fault) { return call("self_test", fault); }

  // Empty: the handler has no description.
  const std::string& description() const { return description_; }

  void run(const rm_host& host, std::span<const rm_job> jobs);
  // In a signal handler: raises an exception in run(). Does nothing while run_batch() has several
  // jobs: an exception would fail all of them. Instead the worker is ended, and the jobs whose
  // deadline has not passed run again.
  void interrupt() const;

 private:
  static constexpr size_t kCollectEveryJobs = 256;

  explicit PythonHandler(Ref plain) : writer_(std::move(plain)) {}
  // Reads what the Handler of _host.py has found. False: a Python exception is set.
  bool read();
  bool call(const char* method, std::string& fault);
  // Runs jobs together, by run() or run_batch(), and answers them.
  void serve(const rm_host& host, std::span<const rm_job> jobs);
  void run_one(const rm_job& job, Answer& answer);
  void run_batch(std::span<const rm_job> jobs, std::span<Answer> answers);
  // Turns the results into answers: results[i] is for *answers[i].
  void take_results(PyObject* results, const std::vector<Answer*>& answers);
  void take_result(PyObject* result, Answer& answer);
  // Fails a job whose handler returned something invalid, and prints why, as for an exception.
  void refuse(std::string why, Answer& answer) const;
  void fail(PyObject* exception, Answer& answer);
  // Fails the job with the Python exception that is set, if any.
  void fail_if_raised(Answer& answer);
  [[noreturn]] void end_worker();

  std::string target_;  // as configured, for messages
  Ref handler_;         // of ringmaster/_host.py
  Ref run_;             // None, or a function
  Ref run_batch_;       // None, or a function
  Ref failure_;         // failure() of _host.py
  Signature signature_;
  std::string description_;
  JsonWriter writer_;
  std::vector<Answer> answers_;  // of the jobs in hand
  volatile std::sig_atomic_t has_several_ = 0;
  unsigned long long debug_bytes_ = 0;  // most bytes of an error with a traceback; 0: no traceback
  size_t uncollected_jobs_ = 0;
};

}  // namespace ringmaster::python
