// Schema: a compiled JSON Schema that validates texts.
//
// A schema may use the part of draft 7 that include/ringmaster/handler.h lists; compile() refuses
// the rest. RapidJSON validates while it parses, without a tree of the text. RapidJSON knows draft
// 4, and trusts a schema to be well-formed: schema_dialect.h translates.
//
// Cost:    0.2 us for {"cpu_ms":30}, if the schema bounds the 30; 1.3 ns for each byte of a long
//          string; 0.2 us for an object of two members. Each alternative of anyOf and the like
//          costs as much again.
// Memory:  find_mismatch() keeps none. A schema compiled before a fork is shared after it.
// Limits:  a schema's nesting is at most kMaxDepth. For a text's nesting, see find_mismatch().
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

namespace ringmaster::json {

class Schema {
 public:
  // Why a text is invalid.
  struct Mismatch {
    std::string pointer;   // RFC 6901, into the text: "/user/id"; empty: the root
    std::string keyword;   // of the schema: "type"; empty: the text cannot be parsed
    std::string expected;  // with the keyword: "type integer"
    std::string found;     // "an object", "\"abc\"", "-1"
  };

  // Fails with the fault and its place: "/properties/age/type: expected ..., found ...".
  static tl::expected<Schema, std::string> compile(std::string_view text);

  Schema(Schema&&) noexcept;
  Schema& operator=(Schema&&) noexcept;
  ~Schema();

  // Whether every text is valid.
  bool is_anything() const;
  // Whether every text that begins with this character is valid: '{' stands for all objects, '['
  // for all arrays. Such a text need not be read.
  bool accepts_each(char first) const;

  // REQUIRES: scan() accepts `text`, so its nesting is bounded. Lone surrogates and numbers beyond
  // a double, which RapidJSON cannot parse, are a mismatch with any schema.
  std::optional<Mismatch> find_mismatch(std::string_view text) const;

 private:
  struct Compiled;
  explicit Schema(std::unique_ptr<Compiled> compiled);

  std::unique_ptr<Compiled> compiled_;
};

}  // namespace ringmaster::json
