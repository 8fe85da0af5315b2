// JSON text: is it JSON, and where do its values lie?
//
// RapidJSON's reader does the parsing. Two things that RFC 8259 allows and RapidJSON refuses are
// accepted all the same: lone escaped surrogates ("\ud800") and numbers beyond a double (1e400).
// Nothing here builds a tree: what is found is handed out as spans of the text.
//
// Cost:    one pass over the text; from what RapidJSON refuses on, a copy of it, too.
// Memory:  none per message, but for that copy, and for strings that are not plain ASCII: those
//          with escapes, those beyond it (the reader is kept per thread).
// Limits:  nesting of at most kMaxDepth, so no input can exhaust a stack. No embedded NUL, no BOM.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace ringmaster::json {

inline constexpr size_t kMaxDepth = 128;
inline constexpr size_t kTextBytesMax = 4096;

enum class Kind : uint8_t { kNull, kBool, kNumber, kString, kObject, kArray };

// "a number", "an object": for messages.
std::string_view name(Kind kind);

struct Value {
  Kind kind;
  size_t depth;          // 0: the root; 1: its members or elements; ...
  std::string_view raw;  // as it stands in the text, quotes included
  // A string with its escapes decoded, its first kTextBytesMax bytes: valid until value() returns.
  std::string_view text;
};

// Is told of everything in a text down to its depth_max(), in its order. Decoded strings are UTF-8,
// but that a lone surrogate is decoded to some three bytes which may not be.
class Visitor {
 public:
  virtual ~Visitor() = default;
  // What lies deeper is checked, but not told: that costs time.
  virtual size_t depth_max() const { return kMaxDepth; }
  // Comes first: forget what was heard of another text.
  virtual void restart() = 0;
  // The key of the member whose value comes next, as a value's text; valid until key() returns.
  virtual void key(std::string_view text, size_t depth) = 0;
  // An object or array begins; its value() comes at its end.
  virtual void enter(Kind kind, size_t depth) = 0;
  virtual void value(const Value& value) = 0;
};

// Tells `visitor` what is in `text`. Empty when that is exactly one JSON value in valid UTF-8
// (whitespace around it allowed); otherwise what is wrong and at which byte, for a person:
// "expected a value at byte 17, found '}'". What was told until then is void.
// A visitor must not call scan() itself.
std::optional<std::string> scan(std::string_view text, Visitor& visitor);

// scan() for those who only want to know.
std::optional<std::string> find_fault(std::string_view text);

// The raw text of the member at a dotted path ("user_id", "user.id") of an object: where it
// stands in `object`. Empty when there is none, or when `object` is no valid JSON object. Of
// duplicate keys the last one counts.
std::string_view find_member(std::string_view object, std::string_view path);

// The same for many paths in one pass: found[i] is the member at paths[i].
void find_members(std::string_view object, std::span<const std::string> paths,
                  std::span<std::string_view> found);

// `text` as a JSON string, quotes included. Bytes that are no UTF-8 become U+FFFD.
std::string quote(std::string_view text);

}  // namespace ringmaster::json
