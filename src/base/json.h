// JSON text: is it JSON, and where do its members lie?
//
// RapidJSON's reader does the parsing. Two things that RFC 8259 allows and RapidJSON refuses are
// accepted all the same: lone escaped surrogates ("\ud800") and numbers beyond a double (1e400).
// Limits: nesting of at most kMaxDepth, so no input can exhaust a stack.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace ringmaster::json {

inline constexpr size_t kMaxDepth = 128;

// Empty when `text` is exactly one JSON value in valid UTF-8 (whitespace around it allowed);
// otherwise what is wrong and at which byte, for a person: "expected a value at byte 17".
std::optional<std::string> find_fault(std::string_view text);

// The raw text of the member at a dotted path ("user_id", "user.id") of an object: where it
// stands in `object`, which must be valid JSON. Empty when there is none. Of duplicate keys the last
// one counts.
std::string_view find_member(std::string_view object, std::string_view path);

// `text` as a JSON string, quotes included.
std::string quote(std::string_view text);

}  // namespace ringmaster::json
