// The part of JsonReader that reads keys and strings.
#include <charconv>
#include <cstring>

#include "handlers/python/json_reader.h"
#include "handlers/python/utf8.h"

namespace ringmaster::python {
namespace {

// Whether the byte ends a run of plain characters.
bool is_special(char c) {
  return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20;
}

// The keys that were read last. Requests repeat their keys: to make a string of each, and its hash,
// would take longer than the rest of a small object.
class KeyTable {
 public:
  // A new reference to the interned string of these bytes, or null if it is not in the table.
  PyObject* find(std::string_view bytes) const {
    PyObject* key = slots_[slot(bytes)].get();
    if (key == nullptr || static_cast<size_t>(PyUnicode_GET_LENGTH(key)) != bytes.size() ||
        std::memcmp(PyUnicode_1BYTE_DATA(key), bytes.data(), bytes.size()) != 0) {
      return nullptr;
    }
    return Py_NewRef(key);
  }
  void keep(std::string_view bytes, PyObject* key) {
    if (PyUnicode_IS_ASCII(key)) slots_[slot(bytes)] = Ref::share(key);
  }

 private:
  static size_t slot(std::string_view bytes) {
    size_t hash = bytes.size();
    for (const char c : bytes)
      hash = hash * 31 + static_cast<unsigned char>(c);
    return hash % kSlots;
  }

  static constexpr size_t kSlots = 512;
  Ref slots_[kSlots];
};

constexpr size_t kTableKeyBytesMax = 32;

// Never destroyed: its objects may outlive the interpreter.
KeyTable& key_table() {
  static auto* table = new KeyTable;
  return *table;
}

}  // namespace

Ref JsonReader::key() {
  if (!is_at('"')) return fail("a key"), Ref();
  const char* from = at_ + 1;
  const char* stop = from;
  while (stop != end_ && !is_special(*stop))
    ++stop;
  const std::string_view bytes(from, stop);
  const bool fits = stop != end_ && *stop == '"' && bytes.size() <= kTableKeyBytesMax;
  if (PyObject* known = fits ? key_table().find(bytes) : nullptr) {
    at_ = stop + 1;
    return Ref::own(known);
  }
  PyObject* name = string().release();
  if (name == nullptr) return {};
  PyUnicode_InternInPlace(&name);
  if (fits) key_table().keep(bytes, name);
  return Ref::own(name);
}

Ref JsonReader::string() {
  const char* from = ++at_;
  unsigned char all = 0;
  while (at_ != end_ && !is_special(*at_))
    all |= static_cast<unsigned char>(*at_++);
  if (at_ == end_) return fail("the end of a string"), Ref();
  if (*at_ == '\\') return escaped_string(from);
  if (*at_ != '"') return fail("no control character"), Ref();
  const auto size = at_ - from;
  PyObject* text = nullptr;
  if (all < 0x80) {
    text = PyUnicode_New(size, 0x7F);
    if (text != nullptr && size > 0) std::memcpy(PyUnicode_1BYTE_DATA(text), from, size);
  } else {
    text = PyUnicode_DecodeUTF8(from, size, "strict");
  }
  if (text == nullptr && PyErr_ExceptionMatches(PyExc_UnicodeError)) {
    PyErr_Clear();
    return fail("valid UTF-8 in the string that ends"), Ref();
  }
  ++at_;
  return checked(text);
}

// Reads the rest of a string that began at `from` and has its first escape at at_.
Ref JsonReader::escaped_string(const char* from) {
  std::string text(from, at_);
  bool has_surrogates = false;
  while (at_ != end_ && *at_ != '"') {
    if (*at_ == '\\') {
      if (!escape(text, has_surrogates)) return {};
      continue;
    }
    if (is_special(*at_)) return fail("no control character"), Ref();
    text += *at_++;
  }
  if (at_ == end_) return fail("the end of a string"), Ref();
  PyObject* decoded = PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()),
                                           has_surrogates ? "surrogatepass" : "strict");
  if (decoded == nullptr && PyErr_ExceptionMatches(PyExc_UnicodeError)) {
    PyErr_Clear();
    return fail("valid UTF-8 in the string that ends"), Ref();
  }
  ++at_;
  return checked(decoded);
}

bool JsonReader::escape(std::string& text, bool& has_surrogates) {
  ++at_;
  constexpr std::string_view kEscapes = "\"\\/bfnrt";
  constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  if (at_ == end_) return fail("an escape");
  if (const size_t known = kEscapes.find(*at_); known != std::string_view::npos) {
    text += kMeanings[known];
    ++at_;
    return true;
  }
  uint32_t unit = 0;
  if (!hex4(unit)) return false;
  if (0xD800 <= unit && unit < 0xDC00 && end_ - at_ >= 6 && at_[0] == '\\' && at_[1] == 'u') {
    const char* second_at = at_++;
    uint32_t second = 0;
    if (!hex4(second)) return false;
    if (0xDC00 <= second && second < 0xE000) {
      unit = 0x10000 + ((unit - 0xD800) << 10) + (second - 0xDC00);
    } else {
      at_ = second_at;  // no pair: the second escape is read on its own
    }
  }
  has_surrogates |= 0xD800 <= unit && unit < 0xE000;
  append_utf8(text, unit);
  return true;
}

// uXXXX
bool JsonReader::hex4(uint32_t& unit) {
  if (end_ - at_ < 5 || *at_ != 'u') return fail("an escape");
  const auto [stop, fault] = std::from_chars(at_ + 1, at_ + 5, unit, 16);
  if (fault != std::errc() || stop != at_ + 5) return fail("an escape");
  at_ += 5;
  return true;
}

}  // namespace ringmaster::python
