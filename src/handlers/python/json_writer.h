// JsonWriter: writes a Python object as JSON text.
//
// Objects: what json.dumps(ensure_ascii=False, separators=(",", ":")) writes, byte for byte, but
//          for lone surrogates, which are escaped so that the text is UTF-8. Keys may be str, int,
//          float, bool or None. Any other object is handed to `plain`, a Python function
//          that returns an object to write in its place, or raises.
// Refused: NaN and infinities, other keys, what `plain` refuses, and nesting of more than
//          kDepthMax containers, as cycles have. The fault names the place:
//          "result.users[3].score: ...".
#pragma once

#include <string>
#include <string_view>

#include "handlers/python/ref.h"

namespace ringmaster::python {

class JsonWriter {
 public:
  // The nesting that the server accepts from a handler.
  static constexpr int kDepthMax = 128;

  explicit JsonWriter(Ref plain) : plain_(std::move(plain)) {}

  // Appends the object to the text. False: fault() says why it cannot be written. The fault calls
  // the object `name`. After an interrupt its exception is set, too.
  bool write(PyObject* root, std::string_view name, std::string& text);

  const std::string& fault() const { return fault_; }

 private:
  bool value(PyObject* object);
  bool dict(PyObject* object);
  bool sequence(PyObject* object);
  bool key(PyObject* key);
  bool integer(PyObject* object);
  bool number(PyObject* object);
  void string(PyObject* object);
  bool replaced(PyObject* object);
  // Stores the fault's text and returns false. The callers then prepend the place, innermost first.
  bool fail(std::string what);
  bool fail_too_deep();
  // Takes the Python exception, but leaves one that is no Exception: an interrupt.
  bool fail_with_exception();
  void prepend_place(std::string_view place);

  Ref plain_;
  std::string* text_ = nullptr;  // of the current write()
  std::string fault_;
  std::string place_;
  int depth_ = 0;     // of containers
  int replaced_ = 0;  // objects in turn that `plain` has replaced by no container
};

}  // namespace ringmaster::python
