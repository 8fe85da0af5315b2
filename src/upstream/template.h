// Template: a text with values taken from the client's request and from earlier steps.
//
// `${SOURCE.PATH}` stands for a value, `${SOURCE.PATH:DEFAULT}` for a default (without braces)
// where it is missing, `$$` for a dollar. SOURCE is params, the name of an earlier step, secret,
// request or client. PATH has names of members and indices of elements, with dots between them.
//
// A template is compiled once, from the configuration, for one place of a request. The place
// determines which values are valid and how each is escaped. So no value can add a part to a path,
// a field to a query, or a header.
// Threads: all functions of a compiled template from any, also concurrently.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

namespace ringmaster::upstream {

// A value that a template names.
struct Reference {
  enum class Source : uint8_t { kParams, kStep, kSecret, kRequest, kClient };

  Source source;
  size_t step = 0;       // of kStep: its index among the method's steps
  std::string path;      // dotted; empty: the whole params, or the step's whole output
  std::string name;      // as the template has it: "params.user.id"
  std::string fallback;  // the value where it is missing, as JSON; empty: it must not be missing
};

// What the templates of a step can name.
struct Scope {
  std::span<const std::string> steps;  // names of the earlier steps; of equal ones the last counts
  const std::map<std::string, std::string>* secrets;  // their texts by name
  // False for an upstream's headers: they can name neither params nor steps.
  bool has_params = true;
  // Names of the steps that do not end before this one begins: for the error message.
  std::span<const std::string> later = {};
};

class Template {
 public:
  enum class Place : uint8_t {
    kBody,    // JSON: in a string that is one reference alone, the value keeps its type
    kPath,    // percent-encoded; "", "." and ".." are refused, so no value leads elsewhere
    kQuery,   // percent-encoded
    kHeader,  // without control characters
  };
  // Why a request cannot be rendered.
  struct Fault {
    std::optional<size_t> reference;  // the faulty value's index; nothing: no single one is faulty
    bool is_missing;
    std::string message;  // "expected ..., found ..."
  };
  struct Part {
    enum class Form : uint8_t { kJson, kJsonText, kPath, kQuery, kHeader };
    std::string before;  // the text before the value
    size_t reference;    // the value's index
    Form form;
  };

  // Compiles a text, or for kBody a JSON text, whose strings (not keys) may have references. These
  // are appended to `references`. An error: the template's fault, for a person.
  static tl::expected<Template, std::string> compile(std::string_view text, Place place,
                                                     const Scope& scope,
                                                     std::vector<Reference>& references);

  bool is_constant() const { return parts_.empty(); }
  // The text that was compiled; of a body, without blanks.
  const std::string& source() const { return source_; }

  // Appends the text with its values. values[i]: the value of references[i], as JSON; empty: it is
  // missing.
  std::optional<Fault> render(std::string& out, std::span<const Reference> references,
                              std::span<const std::string_view> values) const;

 private:
  static tl::expected<Template, std::string> compile_body(std::string_view json, const Scope& scope,
                                                          std::vector<Reference>& references);
  void add(Reference reference, Part::Form form, std::vector<Reference>& references);

  std::string source_;
  std::vector<Part> parts_;
  std::string rest_;  // the text behind the last part
};

// Whether templates have a source of this name, so that no step can have it.
bool is_source(std::string_view name);

// `text` with every byte percent-encoded but letters, digits and "-._~".
std::string percent_encoded(std::string_view text);

}  // namespace ringmaster::upstream
