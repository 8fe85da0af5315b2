#include "handlers/python/arguments.h"

#include <algorithm>

#include "handlers/python/exception.h"
#include "handlers/python/shared_bytes.h"

namespace ringmaster::python {
namespace {

std::string_view view_of(const rm_bytes& bytes) {
  return {bytes.data, bytes.size};
}

// Sets the answer and returns false.
bool fail(Answer& answer, int32_t code, std::string text) {
  answer = {code, std::move(text)};
  return false;
}

bool is_input(const rm_job& job, std::string_view name) {
  return std::any_of(job.inputs, job.inputs + job.input_count,
                     [&](const rm_input& input) { return view_of(input.name) == name; });
}

}  // namespace

bool Signature::read(PyObject* signature) {
  const Ref rest = Ref::own(PyObject_GetAttrString(signature, "takes_rest"));
  const Ref parameters = Ref::own(PyObject_GetAttrString(signature, "parameters"));
  if (!rest || !parameters) return false;
  takes_rest_ = rest.get() == Py_True;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(parameters.get()); ++i) {
    PyObject* parameter = PyList_GET_ITEM(parameters.get(), i);
    PyObject* name = PyObject_GetAttrString(parameter, "name");
    if (name == nullptr) return false;
    PyUnicode_InternInPlace(&name);
    Ref key = Ref::own(name);
    const Ref is_required = Ref::own(PyObject_GetAttrString(parameter, "is_required"));
    const Ref is_view = Ref::own(PyObject_GetAttrString(parameter, "is_view"));
    Ref build = Ref::own(PyObject_GetAttrString(parameter, "build"));
    Ref default_value = Ref::own(PyObject_GetAttrString(parameter, "default"));
    if (!is_required || !is_view || !build || !default_value) return false;
    parameters_.push_back({text_of(name), std::move(key), is_required.get() == Py_True,
                           is_view.get() == Py_True, std::move(build), std::move(default_value)});
  }
  return true;
}

const Signature::Parameter* Signature::find(PyObject* key) const {
  for (const Parameter& parameter : parameters_) {
    if (parameter.key.get() == key) return &parameter;
  }
  return nullptr;
}

const Signature::Parameter* Signature::find(std::string_view name) const {
  for (const Parameter& parameter : parameters_) {
    if (parameter.name == name) return &parameter;
  }
  return nullptr;
}

Ref Signature::bind(const rm_job& job, Answer& answer) const {
  Ref arguments = Ref::own(PyDict_New());
  if (!arguments) {
    return fail(answer, RM_HANDLER_FAILED, take_exception_text()), Ref();
  }
  if (!bind_params(view_of(job.params), arguments.get(), answer)) return {};
  for (size_t i = 0; i < job.input_count; ++i) {
    if (!bind_input(job.inputs[i], arguments.get(), answer)) return {};
  }
  return complete(job, arguments.get(), answer) ? std::move(arguments) : Ref();
}

bool Signature::add_defaults(PyObject* arguments) const {
  for (const Parameter& parameter : parameters_) {
    if (parameter.is_required) continue;
    PyObject* key = parameter.key.get();
    if (PyDict_SetDefault(arguments, key, parameter.default_value.get()) == nullptr) return false;
  }
  return true;
}

bool Signature::bind_params(std::string_view params, PyObject* arguments, Answer& answer) const {
  if (params.empty()) return true;
  JsonReader reader(params);
  bool is_bound = false;
  if (reader.is_at('[')) {
    auto next = parameters_.begin();
    is_bound = reader.items([&] {
      if (next == parameters_.end()) return false;
      const Parameter& parameter = *next++;
      return bind_member(reader, parameter.key.get(), &parameter, arguments);
    });
  } else {
    is_bound = reader.members(
        [&](Ref key) { return bind_member(reader, key.get(), find(key.get()), arguments); });
  }
  if (is_bound) return true;
  if (PyErr_Occurred() != nullptr) return fail(answer, RM_HANDLER_FAILED, take_exception_text());
  return fail(answer, RM_INVALID_PARAMS,
              "params: " + (reader.fault().empty()
                                ? "expected at most " + std::to_string(parameters_.size()) +
                                      " by position, found more"
                                : reader.fault()));
}

bool Signature::bind_member(JsonReader& reader, PyObject* key, const Parameter* parameter,
                            PyObject* arguments) const {
  // Any request may have _meta, which is for the server.
  const bool is_wanted =
      parameter != nullptr || (takes_rest_ && PyUnicode_CompareWithASCIIString(key, "_meta") != 0);
  if (!is_wanted) return reader.skip(), true;
  const bool is_view = parameter != nullptr && parameter->is_view;
  const Ref value = is_view ? make_view(reader.skip()) : reader.value();
  return value && PyDict_SetItem(arguments, key, value.get()) == 0;
}

bool Signature::bind_input(const rm_input& input, PyObject* arguments, Answer& answer) const {
  const std::string_view name = view_of(input.name);
  const Parameter* parameter = find(name);
  if (parameter == nullptr && !takes_rest_) return true;
  const bool is_view = parameter != nullptr && parameter->is_view;
  JsonReader reader(view_of(input.value));
  const Ref value = is_view ? make_view(view_of(input.value)) : reader.read();
  if (!value && PyErr_Occurred() == nullptr) {
    return fail(answer, RM_UPSTREAM_FAILED, std::string(name) + ": " + reader.fault());
  }
  const Ref key = parameter != nullptr ? Ref::share(parameter->key.get())
                                       : Ref::own(PyUnicode_FromStringAndSize(
                                             name.data(), static_cast<Py_ssize_t>(name.size())));
  const bool is_bound = value && key && PyDict_SetItem(arguments, key.get(), value.get()) == 0;
  return is_bound || fail(answer, RM_HANDLER_FAILED, take_exception_text());
}

// Refuses missing arguments, and makes the objects that annotations ask for.
bool Signature::complete(const rm_job& job, PyObject* arguments, Answer& answer) const {
  for (const Parameter& parameter : parameters_) {
    PyObject* value = PyDict_GetItemWithError(arguments, parameter.key.get());
    if (value == nullptr && parameter.is_required) {
      return fail(answer, RM_INVALID_PARAMS,
                  "params/" + parameter.name + ": expected a value, found none");
    }
    if (value == nullptr || parameter.build.get() == Py_None) continue;
    const Ref built = Ref::own(PyObject_CallOneArg(parameter.build.get(), value));
    if (built && PyDict_SetItem(arguments, parameter.key.get(), built.get()) == 0) continue;
    // Other exceptions do not concern the value: an interrupt, an Error of the handler, a mistake
    // in its code.
    if (!PyErr_ExceptionMatches(PyExc_ValueError) && !PyErr_ExceptionMatches(PyExc_TypeError))
      return false;
    const bool is_fetched = is_input(job, parameter.name);
    const int32_t refused = is_fetched ? RM_UPSTREAM_FAILED : RM_INVALID_PARAMS;
    return fail(answer, refused,
                (is_fetched ? "" : "params/") + parameter.name + ": " + take_exception_text());
  }
  return true;
}

}  // namespace ringmaster::python
