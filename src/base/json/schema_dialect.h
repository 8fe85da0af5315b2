// translate(): a JSON Schema of draft 7 in the draft 4 that RapidJSON enforces.
//
// RapidJSON ignores what it does not know and dereferences what is not as it expects, so only what
// is known here gets through, and only in the shape that it must have. Annotations are left out.
// What it knows and does not come through: pattern, whose automaton overruns the stack on (a?)* and
// reads (?:a) as something else; patternProperties and dependencies, which trip over their keys;
// uniqueItems, which takes quadratic time on what a client sends; $ref, which may go in circles.
#pragma once

#include <rapidjson/document.h>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

namespace ringmaster::json {

// How far from 0 the numbers of a schema may be: RapidJSON also handles doubles as integers.
inline constexpr double kSchemaNumberMax = 4611686018427387904.0;

// The values live in `allocator`. Otherwise what is wrong, and where: "/type: expected ...".
// REQUIRES: a bounded nesting.
tl::expected<rapidjson::Value, std::string> translate(
    const rapidjson::Value& schema, rapidjson::Document::AllocatorType& allocator);

// `text` at its place in a JSON pointer: "/" and then the text with its escapes.
std::string pointer_token(std::string_view text);

}  // namespace ringmaster::json
