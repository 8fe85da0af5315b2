// JSON text: checks that it is JSON, and finds its values.
//
// RapidJSON's reader does the parsing. Two things that RFC 8259 allows and RapidJSON refuses are
// accepted all the same: lone escaped surrogates ("\ud800") and numbers beyond a double (1e400).
// Nothing here builds a tree: values are reported as spans of the text.
//
// Cost:    one pass over the text; from a token that RapidJSON refuses, also a copy of the rest.
// Memory:  none per message, except that copy, and strings with escapes or non-ASCII characters
//          (the reader is kept per thread).
// Limits:  nesting of at most kMaxDepth, so no input can exhaust a stack. No embedded NUL, no BOM.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

namespace ringmaster::json {

inline constexpr size_t kMaxDepth = 128;
inline constexpr size_t kTextBytesMax = 4096;

enum class Kind : uint8_t { kNull, kBool, kNumber, kString, kObject, kArray };

// "a number", "an object": for error messages.
std::string_view name(Kind kind);

struct Value {
  Kind kind;
  size_t depth;          // 0: the root; 1: its members or elements; ...
  std::string_view raw;  // as it stands in the text, quotes included
  // A string's first kTextBytesMax bytes, escapes decoded; valid until value() returns.
  std::string_view text;
};

// Gets all keys and values of a text, in order, down to depth_max(). Decoded strings are UTF-8,
// except that a lone surrogate becomes three bytes that may be invalid UTF-8. Visitors override the
// functions for the events that they need.
class Visitor {
 public:
  virtual ~Visitor() = default;
  // Deeper values are checked, but not reported, to save time.
  virtual size_t depth_max() const { return kMaxDepth; }
  // Called first: drops the state of any other text.
  virtual void restart() = 0;
  // The key of the member whose value comes next, as in Value::text; valid until key() returns.
  virtual void key(std::string_view /*text*/, size_t /*depth*/) {}
  // An object or array begins; its value() comes at its end.
  virtual void enter(Kind /*kind*/, size_t /*depth*/) {}
  virtual void value(const Value& /*value*/) {}
};

// Reports `text` to `visitor`. Empty: `text` is one JSON value in valid UTF-8, perhaps with
// whitespace around the value. Otherwise the fault and its byte, for a person: "expected a value at
// byte 17, found '}'"; the reports so far are void. A visitor must not call scan() itself.
std::optional<std::string> scan(std::string_view text, Visitor& visitor);

// scan() without a visitor.
std::optional<std::string> find_fault(std::string_view text);

// How many objects and arrays of `text` are in each other: 2 for [{}], 0 for a number. Unexpected:
// the fault, as of scan().
tl::expected<size_t, std::string> find_nesting(std::string_view text);

// The raw text of the value at a dotted path ("user_id", "items.0.id"): a span of `text`, which is
// an object or an array. Empty: no such value, or `text` is not valid JSON. Of duplicate keys the
// last one counts.
std::string_view find_member(std::string_view text, std::string_view path);

// The same for many paths in one pass: found[i] is the member at paths[i].
void find_members(std::string_view text, std::span<const std::string> paths,
                  std::span<std::string_view> found);

// `text` as a JSON string, quotes included. Invalid UTF-8 becomes U+FFFD.
std::string quote(std::string_view text);

// `json` without the blanks around it.
std::string_view trimmed(std::string_view json);

// The text of a JSON string. Empty: `json` is no string, or has a lone surrogate.
std::optional<std::string> unquote(std::string_view json);

}  // namespace ringmaster::json
