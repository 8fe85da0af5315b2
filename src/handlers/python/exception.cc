#include "handlers/python/exception.h"

namespace ringmaster::python {

Ref take_exception() {
  PyObject* type = nullptr;
  PyObject* value = nullptr;
  PyObject* traceback = nullptr;
  PyErr_Fetch(&type, &value, &traceback);
  PyErr_NormalizeException(&type, &value, &traceback);
  if (traceback != nullptr) PyException_SetTraceback(value, traceback);
  Py_XDECREF(type);
  Py_XDECREF(traceback);
  return Ref::own(value);
}

std::string take_exception_text() {
  const Ref exception = take_exception();
  const Ref message = Ref::own(PyObject_Str(exception.get()));
  PyErr_Clear();
  std::string text = Py_TYPE(exception.get())->tp_name;
  if (message && PyUnicode_GET_LENGTH(message.get()) > 0) text += ": " + text_of(message.get());
  return text;
}

std::string text_of(PyObject* string) {
  if (!PyUnicode_Check(string)) return Py_TYPE(string)->tp_name;
  const Ref bytes = Ref::own(PyUnicode_AsEncodedString(string, "utf-8", "backslashreplace"));
  if (!bytes) {
    PyErr_Clear();
    return "?";
  }
  return {PyBytes_AS_STRING(bytes.get()), static_cast<size_t>(PyBytes_GET_SIZE(bytes.get()))};
}

}  // namespace ringmaster::python
