// Ref: one counted reference to a Python object, or none.
//
// Threads: the interpreter's one thread, which always holds the GIL.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <utility>

namespace ringmaster::python {

class Ref {
 public:
  Ref() = default;
  // Takes over the reference that a function of Python's API returned; null: it failed.
  static Ref own(PyObject* object) { return Ref(object); }
  static Ref share(PyObject* object) { return Ref(Py_XNewRef(object)); }

  Ref(Ref&& other) noexcept : object_(other.release()) {}
  Ref& operator=(Ref&& other) noexcept {
    Ref old(std::exchange(object_, other.release()));
    return *this;
  }
  ~Ref() { Py_XDECREF(object_); }

  PyObject* get() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }
  // The caller owns the reference then.
  PyObject* release() { return std::exchange(object_, nullptr); }

 private:
  explicit Ref(PyObject* object) : object_(object) {}

  PyObject* object_ = nullptr;
};

}  // namespace ringmaster::python
