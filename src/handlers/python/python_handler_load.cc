// The part of PythonHandler that runs in the fork server, and its self-test.
#include <string_view>

#include "handlers/python/exception.h"
#include "handlers/python/interpreter.h"
#include "handlers/python/python_handler.h"

namespace ringmaster::python {
namespace {

// The exception's text, without the type's name if the type is Refused (_load.py).
std::string take_reason() {
  const std::string text = take_exception_text();
  constexpr std::string_view kRefused = "Refused: ";
  return text.starts_with(kRefused) ? text.substr(kRefused.size()) : text;
}

// The options that are the handler's own, as [(key, text), ...].
Ref list_options(std::span<const rm_option> options) {
  Ref list = Ref::own(PyList_New(0));
  for (const rm_option& option : options) {
    const std::string_view key = option.key;
    if (key == "python" || key == "venv") continue;
    const Ref pair = Ref::own(Py_BuildValue("(ss)", option.key, option.value));
    if (!list || !pair || PyList_Append(list.get(), pair.get()) != 0) return {};
  }
  return list;
}

}  // namespace

std::unique_ptr<PythonHandler> PythonHandler::load(std::span<const rm_option> options,
                                                   std::string& fault) {
  std::string target, venv;
  for (const rm_option& option : options) {
    const std::string_view key = option.key;
    if (key == "python") target = option.value;
    if (key == "venv") venv = option.value;
  }
  if (auto problem = start_interpreter(venv)) return fault = *problem, nullptr;
  std::unique_ptr<PythonHandler> loaded(new PythonHandler(host_function("plain")));
  loaded->target_ = target;
  const Ref type = host_function("Handler");
  const Ref given = list_options(options);
  if (type && given) {
    loaded->handler_ =
        Ref::own(PyObject_CallFunction(type.get(), "sO", target.c_str(), given.get()));
  }
  if (!loaded->handler_ || !loaded->read()) return fault = take_reason(), nullptr;
  return loaded;
}

bool PythonHandler::read() {
  PyObject* handler = handler_.get();
  run_ = Ref::own(PyObject_GetAttrString(handler, "run"));
  run_batch_ = Ref::own(PyObject_GetAttrString(handler, "run_batch"));
  failure_ = host_function("failure");
  const Ref signature = Ref::own(PyObject_GetAttrString(handler, "signature"));
  if (!run_ || !run_batch_ || !failure_ || !signature || !signature_.read(signature.get())) {
    return false;
  }
  const Ref description = Ref::own(PyObject_GetAttrString(signature.get(), "description"));
  if (!description) return false;
  description_ = text_of(description.get());
  return true;
}

bool PythonHandler::call(const char* method, std::string& fault) {
  if (Ref::own(PyObject_CallMethod(handler_.get(), method, nullptr))) return true;
  fault = take_reason();
  return false;
}

}  // namespace ringmaster::python
