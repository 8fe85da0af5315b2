#include "handlers/python/python_handler.h"

#include <cstdio>
#include <cstring>
#include <unistd.h>
#include <utility>

#include "handlers/python/current_job.h"
#include "handlers/python/exception.h"
#include "handlers/python/interpreter.h"
#include "handlers/python/shared_bytes.h"

namespace ringmaster::python {
namespace {

// The exit status of a worker that must not serve another job.
constexpr int kExitInternal = 70;
// A longer text is freed once its job is answered.
constexpr size_t kKeptTextBytesMax = 1 << 20;

bool is_bytes_like(PyObject* object) {
  return PyBytes_Check(object) || PyByteArray_Check(object) || PyMemoryView_Check(object);
}

// Appends the bytes. False: a Python exception is set.
bool append_bytes(PyObject* object, std::string& text) {
  Py_buffer buffer;
  if (PyObject_GetBuffer(object, &buffer, PyBUF_SIMPLE) != 0) return false;
  text.append(static_cast<const char*>(buffer.buf), static_cast<size_t>(buffer.len));
  PyBuffer_Release(&buffer);
  return true;
}

// Null: a Python exception is set.
Ref list_of(std::vector<Ref> items) {
  Ref list = Ref::own(PyList_New(static_cast<Py_ssize_t>(items.size())));
  for (size_t i = 0; list && i < items.size(); ++i)
    PyList_SET_ITEM(list.get(), static_cast<Py_ssize_t>(i), items[i].release());
  return list;
}

// Enables Python's collector for this call: PyGC_Collect() does nothing while the collector is off.
void collect_garbage() {
  PyGC_Enable();
  PyGC_Collect();
  PyGC_Disable();
}

// Prints this job's unfinished lines. Otherwise they would come out with the next job's output.
void flush_output() {
  // One name for all jobs: each new one would stay in CPython's cache of attributes.
  static PyObject* name = PyUnicode_InternFromString("flush");
  for (const char* stream : {"stdout", "stderr"}) {
    PyObject* output = PySys_GetObject(stream);
    if (output == nullptr || output == Py_None) continue;
    if (name == nullptr || !Ref::own(PyObject_CallMethodNoArgs(output, name))) PyErr_Clear();
  }
}

// An empty string that is assigned keeps the memory.
void free_if_long(std::string& text) {
  if (text.capacity() > kKeptTextBytesMax) std::string().swap(text);
}

void send(const rm_host& host, const rm_job& job, const Answer& answer) {
  if (answer.code != 0) {
    return host.fail_with_details(&job, answer.code, answer.text.data(), answer.text.size(),
                                  {answer.details.data(), answer.details.size()});
  }
  char* room = host.reserve(&job, answer.text.size());
  if (room == nullptr) return;
  std::memcpy(room, answer.text.data(), answer.text.size());
  host.commit(&job, answer.text.size());
}

}  // namespace

void PythonHandler::run(const rm_host& host, std::span<const rm_job> jobs) {
  debug_bytes_ = host.debug != 0 ? host.response_bytes : 0;
  const bool is_batch = run_.get() == Py_None || (jobs.size() > 1 && run_batch_.get() != Py_None);
  const size_t together = is_batch ? jobs.size() : 1;
  for (size_t i = 0; i < jobs.size(); i += together)
    serve(host, jobs.subspan(i, together));
  uncollected_jobs_ += jobs.size();
  if (uncollected_jobs_ < kCollectEveryJobs) return;
  uncollected_jobs_ = 0;
  collect_garbage();
}

void PythonHandler::interrupt() const {
  if (has_several_ == 0) python::interrupt();
}

void PythonHandler::serve(const rm_host& host, std::span<const rm_job> jobs) {
  // Drops an interrupt that came after the end of its job.
  if (PyErr_CheckSignals() != 0) PyErr_Clear();
  has_several_ = jobs.size() > 1;
  answers_.resize(jobs.size());
  for (Answer& answer : answers_) {
    answer.code = 0;
    answer.text.clear();
    answer.details.clear();
  }
  if (jobs.size() == 1 && run_.get() != Py_None) {
    run_one(jobs[0], answers_[0]);
  } else {
    run_batch(jobs, answers_);
  }
  // Before the answers: the master knows whose output it is for some turns after a result only.
  flush_output();
  const bool keeps_views = count_views() > 0 && (collect_garbage(), count_views() > 0);
  for (size_t i = 0; i < jobs.size(); ++i) {
    send(host, jobs[i], answers_[i]);
    free_if_long(answers_[i].text);
    free_if_long(answers_[i].details);
  }
  if (keeps_views) end_worker();
}

void PythonHandler::run_one(const rm_job& job, Answer& answer) {
  const CurrentJob marked(job);
  const Ref arguments = signature_.bind(job, answer);
  if (!arguments) return fail_if_raised(answer);
  const Ref result = Ref::own(PyObject_VectorcallDict(run_.get(), nullptr, 0, arguments.get()));
  if (result) {
    take_result(result.get(), answer);
  } else {
    fail(take_exception().get(), answer);
  }
}

void PythonHandler::run_batch(std::span<const rm_job> jobs, std::span<Answer> answers) {
  std::vector<Ref> taken;
  std::vector<Answer*> asked;  // a job with a wrong parameter fails alone
  for (size_t i = 0; i < jobs.size(); ++i) {
    const Ref arguments = signature_.bind(jobs[i], answers[i]);
    if (!arguments) {
      fail_if_raised(answers[i]);
      continue;
    }
    Ref job = signature_.add_defaults(arguments.get()) ? make_job(jobs[i], arguments.get()) : Ref();
    if (job) {
      taken.push_back(std::move(job));
      asked.push_back(&answers[i]);
    } else {
      fail(take_exception().get(), answers[i]);
    }
  }
  if (asked.empty()) return;
  const Ref list = list_of(std::move(taken));
  const Ref results = list ? Ref::own(PyObject_CallOneArg(run_batch_.get(), list.get())) : Ref();
  if (results) return take_results(results.get(), asked);
  const Ref exception = take_exception();
  fail(exception.get(), *asked[0]);
  for (Answer* answer : asked)
    *answer = *asked[0];
}

void PythonHandler::take_results(PyObject* results, const std::vector<Answer*>& answers) {
  const bool is_sequence = PyList_Check(results) || PyTuple_Check(results);
  for (size_t i = 0; i < answers.size(); ++i) {
    if (!is_sequence || static_cast<size_t>(PySequence_Fast_GET_SIZE(results)) != answers.size()) {
      refuse("expected run_batch() to return a list of " + std::to_string(answers.size()) +
                 " results, found " +
                 (is_sequence ? std::to_string(PySequence_Fast_GET_SIZE(results))
                              : Py_TYPE(results)->tp_name),
             *answers[i]);
      continue;
    }
    const Ref result = Ref::share(PySequence_Fast_GET_ITEM(results, static_cast<Py_ssize_t>(i)));
    if (PyExceptionInstance_Check(result.get())) {
      fail(result.get(), *answers[i]);
    } else {
      take_result(result.get(), *answers[i]);
    }
  }
}

void PythonHandler::take_result(PyObject* result, Answer& answer) {
  if (!is_bytes_like(result)) {
    if (writer_.write(result, "result", answer.text)) return;
    PyErr_Occurred() != nullptr ? fail_if_raised(answer) : refuse(writer_.fault(), answer);
  } else if (!append_bytes(result, answer.text)) {
    refuse("result: " + take_exception_text(), answer);
  }
}

void PythonHandler::refuse(std::string why, Answer& answer) const {
  std::fprintf(stderr, "%s: %s\n", target_.c_str(), why.c_str());
  answer = {RM_HANDLER_FAILED, std::move(why)};
}

void PythonHandler::fail_if_raised(Answer& answer) {
  if (PyErr_Occurred() != nullptr) fail(take_exception().get(), answer);
}

void PythonHandler::fail(PyObject* exception, Answer& answer) {
  const Ref failure =
      Ref::own(PyObject_CallFunction(failure_.get(), "OK", exception, debug_bytes_));
  int code = 0;
  PyObject* message = nullptr;
  PyObject* data = nullptr;
  if (failure && PyArg_ParseTuple(failure.get(), "iUO", &code, &message, &data) != 0) {
    answer = {code == 0 ? RM_HANDLER_FAILED : code, text_of(message)};
    if (data != Py_None && !writer_.write(data, "data", answer.details)) {
      PyErr_Clear();
      refuse(writer_.fault(), answer);
    }
    return;
  }
  // failure() has raised, in the exception's own __str__() for example, or there is no memory.
  PyErr_WriteUnraisable(exception);
  answer = {RM_HANDLER_FAILED, Py_TYPE(exception)->tp_name};
}

void PythonHandler::end_worker() {
  std::fprintf(stderr,
               "%s: kept a memoryview of a job, or an array over one, after the job: its memory "
               "is the next job's. Copy what must stay: bytes(view), np.array(view).\n",
               target_.c_str());
  std::fflush(stderr);
  ::_exit(kExitInternal);
}

}  // namespace ringmaster::python
