// JsonReader: turns JSON text into Python objects, in one pass over the bytes where they lie.
//
// Objects: those of Python's json.loads(): dict in the text's order (of equal keys the last one
//          counts), list, str, int of any size, float, bool, None; lone escaped surrogates stay.
//          Refused, though json.loads() accepts them: NaN and Infinity, a BOM, surrogates in
//          UTF-8.
// Limits:  nesting of kDepthMax, so no text can exhaust the stack. An int has at most 4300 digits,
//          as everywhere in Python.
// Memory:  the text must outlive the reader. A small table of keys is kept for the process.
#pragma once

#include <string>
#include <string_view>

#include "handlers/python/ref.h"

namespace ringmaster::python {

class JsonReader {
 public:
  static constexpr int kDepthMax = 512;

  explicit JsonReader(std::string_view text)
      : begin_(text.data()), at_(begin_), end_(begin_ + text.size()) {}

  // The text as a whole. Null: it is no JSON, or MemoryError is set.
  Ref read();

  // The parts of a text. Each returns null, or false, once the text is no JSON, or MemoryError is
  // set.
  Ref value();
  // Passes over a value of a text that is known to be JSON, and returns its bytes.
  std::string_view skip();
  // Calls member(key) for each member of an object, and item() for each element of an array. The
  // callbacks read or skip the value, and return false to stop. The keys are interned strings.
  template <class Member>
  bool members(Member&& member) {
    if (!expect('{')) return false;
    if (take('}')) return true;
    do {
      Ref name = key();
      if (!name || !expect(':') || !member(std::move(name))) return false;
    } while (take(','));
    return expect('}');
  }
  template <class Item>
  bool items(Item&& item) {
    if (!expect('[')) return false;
    if (take(']')) return true;
    do {
      if (!item()) return false;
    } while (take(','));
    return expect(']');
  }
  // Whether the next value begins with this character.
  bool is_at(char c) {
    skip_blanks();
    return at_ != end_ && *at_ == c;
  }

  // "expected a value at byte 17"
  const std::string& fault() const { return fault_; }

 private:
  void skip_blanks() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r'))
      ++at_;
  }
  bool take(char c) {
    if (!is_at(c)) return false;
    ++at_;
    return true;
  }
  bool expect(char c);
  bool fail(std::string_view expected);
  Ref checked(PyObject* made);
  Ref constant(std::string_view word, PyObject* object);
  Ref object();
  Ref array();
  Ref number();
  Ref key();
  Ref string();
  Ref escaped_string(const char* from);
  bool escape(std::string& text, bool& has_surrogates);
  bool hex4(uint32_t& unit);

  const char* begin_;
  const char* at_;
  const char* end_;
  int depth_ = 0;
  std::string fault_;
};

}  // namespace ringmaster::python
