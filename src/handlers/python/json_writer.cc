#include "handlers/python/json_writer.h"

#include <charconv>
#include <cmath>

#include "handlers/python/exception.h"
#include "handlers/python/utf8.h"

namespace ringmaster::python {
namespace {

constexpr size_t kPlaceBytesMax = 200;

void append_escape(std::string& text, uint32_t unit) {
  constexpr char kHex[] = "0123456789abcdef";
  text += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4)
    text += kHex[(unit >> shift) & 0xF];
}

void append_ascii(std::string& text, unsigned char c) {
  constexpr std::string_view kEscapes = "\"\\/bfnrt";
  constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  if (c >= 0x20 && c != '"' && c != '\\') {
    text += static_cast<char>(c);
  } else if (const size_t known = kMeanings.find(static_cast<char>(c));
             known != std::string_view::npos) {
    text += '\\';
    text += kEscapes[known];
  } else {
    append_escape(text, c);
  }
}

bool is_container(PyObject* object) {
  return PyDict_Check(object) || PyList_Check(object) || PyTuple_Check(object);
}

void append_point(std::string& text, uint32_t point) {
  if (point < 0x80) return append_ascii(text, static_cast<unsigned char>(point));
  if (0xD800 <= point && point < 0xE000) return append_escape(text, point);
  append_utf8(text, point);
}

void append_ascii_string(std::string& text, std::string_view string) {
  const char* from = string.data();
  const char* end = from + string.size();
  for (const char* at = from; at != end; ++at) {
    if (static_cast<unsigned char>(*at) >= 0x20 && *at != '"' && *at != '\\') continue;
    text.append(from, at);
    append_ascii(text, static_cast<unsigned char>(*at));
    from = at + 1;
  }
  text.append(from, end);
}

}  // namespace

bool JsonWriter::write(PyObject* root, std::string_view name, std::string& text) {
  text_ = &text;
  place_.clear();
  depth_ = 0;
  replaced_ = 0;
  if (value(root)) return true;
  fault_ = std::string(name) + place_ + ": " + fault_;
  return false;
}

bool JsonWriter::fail(std::string what) {
  fault_ = std::move(what);
  return false;
}

bool JsonWriter::fail_too_deep() {
  return fail("expected nesting of at most " + std::to_string(kDepthMax) +
              ", found more, or a cycle");
}

bool JsonWriter::fail_with_exception() {
  if (PyErr_ExceptionMatches(PyExc_Exception) == 0) return fail("interrupted");
  return fail(take_exception_text());
}

// Keeps only the innermost part of a very deep place.
void JsonWriter::prepend_place(std::string_view place) {
  constexpr std::string_view kCut = "...";
  if (place_.starts_with(kCut)) return;
  place_.insert(0, place_.size() + place.size() > kPlaceBytesMax ? kCut : place);
}

bool JsonWriter::value(PyObject* object) {
  if (PyUnicode_Check(object)) return string(object), true;
  if (object == Py_None) return *text_ += "null", true;
  if (object == Py_True) return *text_ += "true", true;
  if (object == Py_False) return *text_ += "false", true;
  if (PyLong_Check(object)) return integer(object);
  if (PyFloat_Check(object)) return number(object);
  if (!is_container(object)) return replaced(object);
  if (++depth_ > kDepthMax) return fail_too_deep();
  const bool is_written = PyDict_Check(object) ? dict(object) : sequence(object);
  --depth_;
  return is_written;
}

// plain() can run any code, and so change the container: each key and value is held while it is
// written.
bool JsonWriter::dict(PyObject* object) {
  *text_ += '{';
  Py_ssize_t at = 0;
  PyObject* found_key = nullptr;
  PyObject* found = nullptr;
  bool is_first = true;
  while (PyDict_Next(object, &at, &found_key, &found)) {
    const Ref name = Ref::share(found_key);
    const Ref member = Ref::share(found);
    if (!std::exchange(is_first, false)) *text_ += ',';
    if (!key(name.get())) return false;
    *text_ += ':';
    if (!value(member.get())) {
      prepend_place("." + text_of(name.get()));
      return false;
    }
  }
  *text_ += '}';
  return true;
}

bool JsonWriter::sequence(PyObject* object) {
  *text_ += '[';
  // PySequence_Fast_GET_SIZE and _ITEM serve lists and tuples.
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(object); ++i) {
    const Ref item = Ref::share(PySequence_Fast_GET_ITEM(object, i));
    if (i > 0) *text_ += ',';
    if (!value(item.get())) {
      prepend_place("[" + std::to_string(i) + "]");
      return false;
    }
  }
  *text_ += ']';
  return true;
}

bool JsonWriter::key(PyObject* key) {
  if (PyUnicode_Check(key)) return string(key), true;
  if (key != Py_None && !PyLong_Check(key) && !PyFloat_Check(key)) {
    return fail(std::string("expected keys that are text, found ") + Py_TYPE(key)->tp_name);
  }
  *text_ += '"';
  if (!value(key)) return false;  // null, true, false or a number: without quotes
  *text_ += '"';
  return true;
}

bool JsonWriter::integer(PyObject* object) {
  int overflow = 0;
  const long long small = PyLong_AsLongLongAndOverflow(object, &overflow);
  if (overflow == 0) {
    char digits[24];
    text_->append(digits, std::to_chars(digits, digits + sizeof digits, small).ptr);
    return true;
  }
  const Ref digits = Ref::own(PyLong_Type.tp_repr(object));
  if (!digits) return fail_with_exception();
  append_ascii_string(*text_, text_of(digits.get()));
  return true;
}

bool JsonWriter::number(PyObject* object) {
  const double number = PyFloat_AS_DOUBLE(object);
  if (std::isnan(number)) return fail("NaN is no JSON");
  if (std::isinf(number)) return fail("infinity is no JSON");
  char* digits = PyOS_double_to_string(number, 'r', 0, Py_DTSF_ADD_DOT_0, nullptr);
  if (digits == nullptr) return fail_with_exception();
  *text_ += digits;
  PyMem_Free(digits);
  return true;
}

void JsonWriter::string(PyObject* object) {
  *text_ += '"';
  const auto size = static_cast<size_t>(PyUnicode_GET_LENGTH(object));
  if (PyUnicode_IS_ASCII(object)) {
    const auto* bytes = reinterpret_cast<const char*>(PyUnicode_1BYTE_DATA(object));
    append_ascii_string(*text_, {bytes, size});
  } else {
    const int kind = PyUnicode_KIND(object);
    const void* data = PyUnicode_DATA(object);
    for (size_t i = 0; i < size; ++i)
      append_point(*text_, PyUnicode_READ(kind, data, static_cast<Py_ssize_t>(i)));
  }
  *text_ += '"';
}

bool JsonWriter::replaced(PyObject* object) {
  if (replaced_ == kDepthMax) return fail_too_deep();
  const Ref plain = Ref::own(PyObject_CallOneArg(plain_.get(), object));
  if (!plain) return fail_with_exception();
  const int replaced = is_container(plain.get()) ? 0 : replaced_ + 1;
  const int before = std::exchange(replaced_, replaced);
  const bool is_written = value(plain.get());
  replaced_ = before;
  return is_written;
}

}  // namespace ringmaster::python
