#include "handlers/python/current_job.h"

#include "handlers/python/json_reader.h"

namespace ringmaster::python {
namespace {

const rm_job* current = nullptr;

// The text, or None where it is empty.
Ref text_or_none(const rm_bytes& text) {
  if (text.size == 0) return Ref::share(Py_None);
  return Ref::own(
      PyUnicode_DecodeUTF8(text.data, static_cast<Py_ssize_t>(text.size), "backslashreplace"));
}

// The id as a Python object; None: a notification. Null: a Python exception is set.
Ref id_of(const rm_job& job) {
  if (job.id.size == 0) return Ref::share(Py_None);
  Ref id = JsonReader({job.id.data, job.id.size}).read();
  return id || PyErr_Occurred() != nullptr ? std::move(id) : text_or_none(job.id);
}

// The class Job of the package, or null: a Python exception is set. It is looked up only once,
// because the name of each look-up would stay in CPython's cache of attributes.
PyObject* job_type() {
  static PyObject* type = nullptr;  // never released: it may outlive the interpreter
  if (type != nullptr) return type;
  const Ref package = Ref::own(PyImport_ImportModule("ringmaster"));
  if (package) type = PyObject_GetAttrString(package.get(), "Job");
  return type;
}

PyObject* describe_current(PyObject*, PyObject*) {
  if (current == nullptr) {
    PyErr_SetString(PyExc_RuntimeError, "job() is for run(): there is no single job in hand");
    return nullptr;
  }
  return make_job(*current, Py_None).release();
}

}  // namespace

Ref make_job(const rm_job& job, PyObject* arguments) {
  PyObject* type = job_type();
  const Ref id = id_of(job);
  const Ref method = text_or_none(job.method);
  const Ref traceparent = text_or_none(job.traceparent);
  if (type == nullptr || !id || !method || !traceparent) return {};
  const Ref given = Ref::own(PyTuple_Pack(1, arguments));
  const Ref known = Ref::own(Py_BuildValue("{sOsOsdsO}", "method", method.get(), "id", id.get(),
                                           "deadline_s", static_cast<double>(job.deadline_ns) / 1e9,
                                           "traceparent", traceparent.get()));
  if (!given || !known) return {};
  return Ref::own(PyObject_Call(type, given.get(), known.get()));
}

Ref current_job_function() {
  static PyMethodDef definition = {"job", describe_current, METH_NOARGS,
                                   "The job in hand, without its arguments."};
  return Ref::own(PyCFunction_New(&definition, nullptr));
}

CurrentJob::CurrentJob(const rm_job& job) {
  current = &job;
}

CurrentJob::~CurrentJob() {
  current = nullptr;
}

}  // namespace ringmaster::python
