// translate(): translates a JSON Schema of draft 7 into draft 4, which RapidJSON enforces.
//
// RapidJSON ignores unknown keywords and dereferences values of the wrong type. So only known
// keywords are translated, and only with values of the right type. Annotations are left out. These
// keywords, which RapidJSON knows, are refused: pattern, whose automaton overruns the stack on
// (a?)* and misreads (?:a); patternProperties and dependencies, which fail on some keys;
// uniqueItems, which takes quadratic time on a client's text; $ref, which may be circular.
#pragma once

#include <rapidjson/document.h>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

namespace ringmaster::json {

// The largest absolute number in a schema: RapidJSON also casts doubles to integers.
inline constexpr double kSchemaNumberMax = 4611686018427387904.0;

// The values live in `allocator`. Fails with the fault and its place: "/type: expected ...".
// REQUIRES: the nesting is bounded.
tl::expected<rapidjson::Value, std::string> translate(
    const rapidjson::Value& schema, rapidjson::Document::AllocatorType& allocator);

// `text` as a token of a JSON pointer: "/" and the escaped text.
std::string pointer_token(std::string_view text);

}  // namespace ringmaster::json
