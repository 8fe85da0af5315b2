// Signature: the parameters of a handler's function, and how a job fills them.
//
// Members of params fill the parameters by name, an array fills them by position. An input (the
// output of a step before) fills the parameter of its name, even if params have such a member. No
// Python object is made of a value that no parameter asks for.
#pragma once

#include <cstdint>
#include <ringmaster/handler.h>
#include <string>
#include <string_view>
#include <vector>

#include "handlers/python/json_reader.h"
#include "handlers/python/ref.h"

namespace ringmaster::python {

// The answer to a job. `code` 0: `text` is the result; else `text` and `details` are the error's.
struct Answer {
  int32_t code = 0;
  std::string text;
  std::string details = {};
};

class Signature {
 public:
  // From a Signature of ringmaster/_signature.py. False: a Python exception is set.
  bool read(PyObject* signature);

  // Returns a dict of the arguments, by name. Null: the job is wrong, and `answer` says how.
  Ref bind(const rm_job& job, Answer& answer) const;
  // Adds the defaults of the parameters that the job leaves out: run_batch() gets the arguments as
  // a dict. False: a Python exception is set.
  bool add_defaults(PyObject* arguments) const;

 private:
  struct Parameter {
    std::string name;
    Ref key;  // the name, interned
    bool is_required;
    bool is_view;
    Ref build;  // None, or a function
    Ref default_value;
  };

  const Parameter* find(PyObject* key) const;
  const Parameter* find(std::string_view name) const;
  bool bind_params(std::string_view params, PyObject* arguments, Answer& answer) const;
  bool bind_member(JsonReader& reader, PyObject* key, const Parameter* parameter,
                   PyObject* arguments) const;
  bool bind_input(const rm_input& input, PyObject* arguments, Answer& answer) const;
  bool complete(const rm_job& job, PyObject* arguments, Answer& answer) const;

  std::vector<Parameter> parameters_;
  bool takes_rest_ = false;
};

}  // namespace ringmaster::python
