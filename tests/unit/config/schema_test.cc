#include "config/schema.h"

#include <doctest/doctest.h>
#include <rapidjson/document.h>
#include <rapidjson/pointer.h>

#include "config/keys.h"

namespace ringmaster::config {
namespace {

rapidjson::Document parsed_schema() {
  rapidjson::Document document;
  document.Parse(schema().c_str());
  REQUIRE_FALSE(document.HasParseError());
  return document;
}

std::string table_of(const Section& section) {
  const std::string table = "/properties/" + std::string(section.name);
  return section.is_named ? table + "/patternProperties/^." : table;
}

bool has(const rapidjson::Document& document, const std::string& pointer) {
  return rapidjson::Pointer(pointer.c_str()).Get(document) != nullptr;
}

TEST_CASE("config: the schema has every key, its meaning, its values and its default") {
  const rapidjson::Document document = parsed_schema();
  for_each_section([&](const Section& section, const auto& keys) {
    CAPTURE(section.name);
    for (const auto& key : keys) {
      CAPTURE(key.name);
      const std::string at = table_of(section) + "/properties/" + std::string(key.name);
      CHECK(key.meaning.ends_with('.'));
      CHECK(has(document, at + "/description"));
      CHECK(has(document, at + "/title"));
      const bool has_default = !is_required(key.type) && key.type != Type::kLibrary &&
                               key.type != Type::kFile && key.type != Type::kPython &&
                               key.type != Type::kName && key.name != "venv";
      CHECK(has(document, at + "/default") == has_default);
    }
  });
}

TEST_CASE("config: the schema requires keys without default; only handlers may have more keys") {
  const rapidjson::Document document = parsed_schema();
  for_each_section([&](const Section& section, const auto&) {
    CAPTURE(section.name);
    const std::string table = table_of(section);
    CHECK(has(document, table + "/additionalProperties") != section.is_open);
    CHECK(has(document, table + "/required/0") ==
          (section.name == "upstreams" || section.name == "methods"));
  });
}

}  // namespace
}  // namespace ringmaster::config
