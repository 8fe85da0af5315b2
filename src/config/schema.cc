#include "config/schema.h"

#include <fmt/format.h>

#include "base/assert.h"
#include "base/json/scan.h"
#include "config/body_text.h"
#include "config/config.h"
#include "config/forms.h"
#include "config/keys.h"

namespace ringmaster::config {
namespace {

using json::quote;

constexpr std::string_view kName = "NAME";

// The tables of a named section. JSON-RPC reserves names of methods that begin with "rpc.".
constexpr char kNamed[] = R"("type":"object","minProperties":{},"additionalProperties":false,)"
                          R"("patternProperties":{{"^.":{{{}}}{}}}}})";
constexpr char kReserved[] = R"(,"^rpc\\.":false)";

// A configuration with one table for each section, and with every key that has a default.
Value all_defaults() {
  master::Options options;
  options.upstreams.emplace_back().name = kName;
  options.handlers.push_back({std::string(kName)});
  options.methods.emplace_back().name = kName;
  auto parsed = parse_toml(dump(options));
  RM_ASSERT(parsed.has_value());
  return std::move(*parsed);
}

// The section's table in `defaults`, or its table NAME if the section is named.
const Value* find_table(const Value& defaults, const Section& section) {
  const Value* const table = find(defaults, section.name);
  return table != nullptr && section.is_named ? find(*table, kName) : table;
}

template <class T>
std::string describe_key(const Key<T>& key, const Value* value) {
  const Form form = form_of(key.type, key.min, key.max);
  std::string text = fmt::format("{}:{{\"title\":{},\"description\":{},{}", quote(key.name),
                                 quote(form.title), quote(key.meaning), form.members);
  if (value != nullptr && !is_required(key.type) && key.type != Type::kLibrary) {
    Problems none("");
    text += ",\"default\":" + to_json(none, Entry{"", 0, value}).value();
  }
  return text + '}';
}

// The members of the schema of a table with these keys.
template <class T, size_t N>
std::string describe_table(const Section& section, const Key<T> (&keys)[N], const Value* defaults) {
  std::string properties;
  std::string required;
  for (const Key<T>& key : keys) {
    const Value* const value = defaults == nullptr ? nullptr : find(*defaults, key.name);
    properties += (properties.empty() ? "" : ",") + describe_key(key, value);
    if (is_required(key.type)) required = quote(key.name);
  }
  return fmt::format(
      R"("type":"object","properties":{{{}}},"required":[{}],{})", properties, required,
      section.is_open
          ? fmt::format(R"("patternProperties":{{"_file$":{{{}}}}})", form_of(Type::kFile).members)
          : R"("additionalProperties":false)");
}

// A step has one of fetch, run and parallel.
std::string describe_step() {
  std::string dependencies;
  for (const Key<Method>& key : kStepKeys) {
    if (key.name == "fetch" || key.name == "run" || key.name == "parallel") continue;
    dependencies +=
        fmt::format("{}{}:{}", dependencies.empty() ? "" : ",", quote(key.name),
                    key.name == "as" ? R"({"not":{"required":["parallel"]}})" : R"(["fetch"])");
  }
  return describe_table(Section{}, kStepKeys, nullptr) +
         R"(,"oneOf":[{"required":["fetch"]},{"required":["run"]},{"required":["parallel"]}],)" +
         fmt::format(R"("dependencies":{{{}}})", dependencies);
}

}  // namespace

std::string schema() {
  const Value defaults = all_defaults();
  std::string sections;
  for_each_section([&](const Section& section, const auto& keys) {
    const std::string table = describe_table(section, keys, find_table(defaults, section));
    sections += fmt::format(R"({}{}:{{"description":{},)", sections.empty() ? "" : ",",
                            quote(section.name), quote(section.meaning));
    const bool is_methods = section.name == "methods";
    sections += section.is_named
                    ? fmt::format(kNamed, is_methods ? 1 : 0, table, is_methods ? kReserved : "")
                    : table + '}';
  });
  return fmt::format(R"({{"$schema":"http://json-schema.org/draft-07/schema#",)"
                     R"("title":"The configuration of ringmaster","type":"object",)"
                     R"("properties":{{{}}},"required":["methods"],"additionalProperties":false,)"
                     R"("definitions":{{"step":{{{}}},{}}}}})",
                     sections, describe_step(), definitions());
}

}  // namespace ringmaster::config
