// JsonOracle: a second opinion on what is JSON (RFC 8259), written from the grammar alone, so that
// it shares no mistake with a library. Slow and plain on purpose.
#pragma once

#include <cstddef>
#include <string_view>

namespace ringmaster::fuzz {

class JsonOracle {
 public:
  // Whether `text` is one JSON value in UTF-8, nested at most `depth_max` deep, with nothing but
  // whitespace around it.
  static bool is_json(std::string_view text, size_t depth_max) {
    JsonOracle oracle(text, depth_max);
    oracle.skip_blanks();
    return oracle.take_value() && oracle.rest_.empty();
  }

 private:
  JsonOracle(std::string_view text, size_t depth_left) : rest_(text), depth_left_(depth_left) {}

  bool is_next(std::string_view characters) const {
    return !rest_.empty() && characters.find(rest_.front()) != std::string_view::npos;
  }
  bool take(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  bool take_one_of(std::string_view characters) {
    if (!is_next(characters)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool take_byte(unsigned char min, unsigned char max) {
    if (rest_.empty()) return false;
    const auto byte = static_cast<unsigned char>(rest_.front());
    if (byte < min || byte > max) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void skip_blanks() {
    while (take_one_of(" \t\r\n")) {
    }
  }

  // Takes a value and the whitespace behind it.
  bool take_value() {
    bool is_value = false;
    if (is_next("{")) {
      is_value = take_items('}', [this] { return take_member(); });
    } else if (is_next("[")) {
      is_value = take_items(']', [this] { return take_value(); });
    } else if (is_next("\"")) {
      is_value = take_string();
    } else {
      is_value = take("null") || take("true") || take("false") || take_number();
    }
    skip_blanks();
    return is_value;
  }

  template <class TakeItem>
  bool take_items(char end, TakeItem take_item) {
    rest_.remove_prefix(1);
    if (depth_left_ == 0) return false;
    --depth_left_;
    skip_blanks();
    bool is_complete = take_byte(end, end);
    while (!is_complete) {
      if (!take_item()) return false;
      is_complete = take_byte(end, end);
      if (!is_complete && !take(",")) return false;
      if (!is_complete) skip_blanks();
    }
    ++depth_left_;
    return true;
  }

  bool take_member() {
    if (!is_next("\"") || !take_string()) return false;
    skip_blanks();
    if (!take(":")) return false;
    skip_blanks();
    return take_value();
  }

  bool take_string() {
    rest_.remove_prefix(1);
    while (!take("\"")) {
      if (!(is_next("\\") ? take_escape() : take_character())) return false;
    }
    return true;
  }
  bool take_escape() {
    rest_.remove_prefix(1);
    if (take_one_of("\"\\/bfnrt")) return true;
    if (!take("u")) return false;
    for (int i = 0; i < 4; ++i) {
      if (!take_one_of("0123456789abcdefABCDEF")) return false;
    }
    return true;
  }
  // The table of well-formed UTF-8 in chapter 3.9 of the Unicode standard.
  bool take_character() {
    const auto take_tail = [this] { return take_byte(0x80, 0xbf); };
    if (take_byte(0x20, 0x7f)) return true;
    if (take_byte(0xc2, 0xdf)) return take_tail();
    if (take_byte(0xe0, 0xe0)) return take_byte(0xa0, 0xbf) && take_tail();
    if (take_byte(0xed, 0xed)) return take_byte(0x80, 0x9f) && take_tail();
    if (take_byte(0xe1, 0xef)) return take_tail() && take_tail();
    if (take_byte(0xf0, 0xf0)) return take_byte(0x90, 0xbf) && take_tail() && take_tail();
    if (take_byte(0xf1, 0xf3)) return take_tail() && take_tail() && take_tail();
    return take_byte(0xf4, 0xf4) && take_byte(0x80, 0x8f) && take_tail() && take_tail();
  }

  bool take_digits() {
    if (!take_byte('0', '9')) return false;
    while (take_byte('0', '9')) {
    }
    return true;
  }
  bool take_number() {
    take("-");
    if (!take("0") && !take_digits()) return false;
    if (take(".") && !take_digits()) return false;
    if (!take_one_of("eE")) return true;
    take_one_of("+-");
    return take_digits();
  }

  std::string_view rest_;
  size_t depth_left_;
};

}  // namespace ringmaster::fuzz
