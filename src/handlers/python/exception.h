// The exceptions of Python code, as objects and as text.
#pragma once

#include <string>

#include "handlers/python/ref.h"

namespace ringmaster::python {

// Returns the exception that is set, with its traceback, and clears it. REQUIRES: one is set.
Ref take_exception();

// Returns the type and message of the exception that is set, as "ValueError: a message", and clears
// it.
std::string take_exception_text();

// The characters of a str, as UTF-8; lone surrogates are escaped. For any other object: the name of
// its type.
std::string text_of(PyObject* string);

}  // namespace ringmaster::python
