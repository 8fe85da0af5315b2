// Schema: a JSON Schema, compiled once, and whether texts fit it.
//
// Draft 7, as far as include/ringmaster/handler.h says; what could not be enforced is refused.
// RapidJSON validates while it reads: no tree of the text is built. It knows draft 4, and trusts a
// schema to be well-formed: json_dialect.h stands between.
//
// Cost:    0.2 us for {"cpu_ms":30}, with bounds on it; 1.3 ns for each byte of a long string, and
//          0.2 us for an object of two members. anyOf and its like take that once for each schema.
// Memory:  none that is kept from one text to the next. Compiled before a fork it is shared after.
// Limits:  of the schema, kMaxDepth. Of the text, none of its own: see find_mismatch().
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

namespace ringmaster::json {

class Schema {
 public:
  // Why a text does not fit.
  struct Mismatch {
    std::string pointer;   // RFC 6901, into the text: "/user/id"; empty: all of it
    std::string keyword;   // of the schema: "type"; empty: the text cannot be read
    std::string expected;  // with the keyword: "type integer"
    std::string found;     // "an object", "\"abc\"", "-1"
  };

  // Otherwise what is wrong with it, and where: "/properties/age/type: expected ..., found ...".
  static tl::expected<Schema, std::string> compile(std::string_view text);

  Schema(Schema&&) noexcept;
  Schema& operator=(Schema&&) noexcept;
  ~Schema();

  // Whatever it is given fits.
  bool is_anything() const;

  // REQUIRES: `text` is JSON, as scan() has it: its nesting is bounded. What RapidJSON's reader
  // cannot take of that (lone surrogates, numbers beyond a double) fits no schema.
  std::optional<Mismatch> find_mismatch(std::string_view text) const;

 private:
  struct Compiled;
  explicit Schema(std::unique_ptr<Compiled> compiled);

  std::unique_ptr<Compiled> compiled_;
};

}  // namespace ringmaster::json
