// Value: a TOML file as a tree that remembers its lines.
//
// Only value.cc uses the TOML library, so its exceptions and build options concern one file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "tl/expected.hpp"

namespace ringmaster::config {

enum class Kind { kString, kInteger, kFloat, kBoolean, kDate, kArray, kTable };

struct Member;

struct Value {
  Kind kind = Kind::kTable;
  size_t line = 0;
  std::string text;  // of a string; of a date or time, its ISO form
  int64_t integer = 0;
  double number = 0;
  bool boolean = false;
  std::vector<Value> items;     // of an array
  std::vector<Member> members;  // of a table, in the order of the file
};

struct Member {
  std::string key;
  size_t line;
  Value value;
};

// Why a text is not TOML, and the parser's line.
struct SyntaxFault {
  size_t line;
  std::string message;
};

// Parses a TOML text into a table.
tl::expected<Value, SyntaxFault> parse_toml(std::string_view text);

// The member of a table, or nullptr.
const Value* find(const Value& table, std::string_view key);

// The line of SECTION.KEY or SECTION.NAME.KEY, 0 when the file has none.
size_t line_of(const Value& root, std::initializer_list<std::string_view> path);

// For messages: `the string "abc"`, `the integer 3`, `an array`.
std::string describe(const Value& value);

// `text` as TOML writes it: a basic string, and a key, bare where that is possible.
std::string quote_string(std::string_view text);
std::string quote_key(std::string_view text);

}  // namespace ringmaster::config
