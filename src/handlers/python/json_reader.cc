#include "handlers/python/json_reader.h"

#include <array>
#include <charconv>

namespace ringmaster::python {
namespace {

bool is_digit(char c) {
  return '0' <= c && c <= '9';
}

using Bytes = std::array<bool, 256>;

constexpr Bytes bytes_of(std::string_view characters) {
  Bytes bytes{};
  for (const char c : characters)
    bytes[static_cast<unsigned char>(c)] = true;
  return bytes;
}

// What skip() looks for behind a number or a word, and within an object or array.
constexpr Bytes kEndsWord = bytes_of(",]} \n\r\t");
constexpr Bytes kNests = bytes_of("\"{}[]");

}  // namespace

Ref JsonReader::read() {
  Ref root = value();
  skip_blanks();
  if (root && at_ != end_) return fail("the end of the text"), Ref();
  return root;
}

bool JsonReader::fail(std::string_view expected) {
  if (fault_.empty()) {
    fault_ = "expected " + std::string(expected) + " at byte " + std::to_string(at_ - begin_);
  }
  return false;
}

bool JsonReader::expect(char c) {
  return take(c) || fail(std::string{'\'', c, '\''});
}

// `made` is null if Python refused to make it, for example an int of too many digits: the text is
// then at fault. A lack of memory is not the text's fault: MemoryError stays set.
Ref JsonReader::checked(PyObject* made) {
  if (made != nullptr) return Ref::own(made);
  if (PyErr_ExceptionMatches(PyExc_MemoryError) != 0) return {};
  PyErr_Clear();
  return fail("a value that Python can hold"), Ref();
}

Ref JsonReader::value() {
  skip_blanks();
  if (at_ == end_) return fail("a value"), Ref();
  switch (*at_) {
    case '{':
      return object();
    case '[':
      return array();
    case '"':
      return string();
    case 't':
      return constant("true", Py_True);
    case 'f':
      return constant("false", Py_False);
    case 'n':
      return constant("null", Py_None);
    default:
      return number();
  }
}

Ref JsonReader::constant(std::string_view word, PyObject* object) {
  if (!std::string_view(at_, end_).starts_with(word)) return fail("a value"), Ref();
  at_ += word.size();
  return Ref::share(object);
}

Ref JsonReader::object() {
  if (++depth_ > kDepthMax) return fail("less nesting"), Ref();
  Ref dict = checked(PyDict_New());
  const bool is_whole =
      dict && members([&](Ref name) {
        const Ref member = value();
        return member && PyDict_SetItem(dict.get(), name.get(), member.get()) == 0;
      });
  --depth_;
  if (is_whole) return dict;
  return PyErr_Occurred() != nullptr ? checked(nullptr) : Ref();
}

Ref JsonReader::array() {
  if (++depth_ > kDepthMax) return fail("less nesting"), Ref();
  Ref list = checked(PyList_New(0));
  const bool is_whole = list && items([&] {
                          const Ref item = value();
                          return item && PyList_Append(list.get(), item.get()) == 0;
                        });
  --depth_;
  if (is_whole) return list;
  return PyErr_Occurred() != nullptr ? checked(nullptr) : Ref();
}

Ref JsonReader::number() {
  const char* from = at_;
  if (at_ != end_ && *at_ == '-') ++at_;
  const char* digits = at_;
  const auto pass_digits = [&] {
    const char* first = at_;
    while (at_ != end_ && is_digit(*at_))
      ++at_;
    return at_ != first;
  };
  if (!pass_digits()) return at_ = from, fail("a value"), Ref();
  if (*digits == '0' && at_ - digits > 1) return at_ = digits + 1, fail("no leading zero"), Ref();
  bool is_float = false;
  if (at_ != end_ && *at_ == '.') {
    is_float = true;
    ++at_;
    if (!pass_digits()) return fail("a digit"), Ref();
  }
  if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
    is_float = true;
    ++at_;
    if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
    if (!pass_digits()) return fail("a digit"), Ref();
  }
  if (!is_float) {
    int64_t whole = 0;
    if (std::from_chars(from, at_, whole).ec == std::errc()) {
      return checked(PyLong_FromLongLong(whole));
    }
    return checked(PyLong_FromString(std::string(from, at_).c_str(), nullptr, 10));
  }
  double fraction = 0;
  if (std::from_chars(from, at_, fraction).ec == std::errc()) {
    return checked(PyFloat_FromDouble(fraction));
  }
  // A number beyond a double becomes infinity or zero, as in Python.
  const Ref text = checked(PyUnicode_FromStringAndSize(from, at_ - from));
  return text ? checked(PyFloat_FromString(text.get())) : Ref();
}

std::string_view JsonReader::skip() {
  skip_blanks();
  const char* from = at_;
  if (at_ != end_ && *at_ != '"' && *at_ != '{' && *at_ != '[') {
    while (at_ != end_ && !kEndsWord[static_cast<unsigned char>(*at_)])
      ++at_;
    return {from, at_};
  }
  size_t depth = 0;
  do {
    while (at_ != end_ && !kNests[static_cast<unsigned char>(*at_)])
      ++at_;
    if (at_ == end_) break;
    const char c = *at_++;
    if (c == '"') {
      while (at_ != end_ && *at_ != '"')
        at_ += *at_ == '\\' && at_ + 1 != end_ ? 2 : 1;
      if (at_ != end_) ++at_;
    } else {
      depth += c == '{' || c == '[' ? 1 : -1;
    }
  } while (depth > 0);
  return {from, at_};
}

}  // namespace ringmaster::python
