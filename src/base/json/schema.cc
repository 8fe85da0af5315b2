#include "base/json/schema.h"

#include <algorithm>
#include <cmath>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>
#include <rapidjson/schema.h>
#include <rapidjson/stringbuffer.h>
#include <utility>
#include <vector>

#include "base/json/scan.h"
#include "base/json/schema_dialect.h"
#include "base/json/schema_mismatch.h"
#include "base/json/value.h"

namespace ringmaster::json {
namespace {

using rapidjson::SizeType;

// 2^53: a double can hold every integer up to this one.
constexpr double kIntegersMax = 9007199254740992.0;

// Passes RapidJSON's events to its validator; notes the value that the validator refuses.
class Feed {
 public:
  Feed(rapidjson::SchemaValidator& validator, const rapidjson::MemoryStream& stream)
      : validator_(validator), stream_(stream) {}

  bool Null() { return validator_.Null() || refuse("null"); }
  bool Bool(bool b) { return validator_.Bool(b) || refuse(b ? "true" : "false"); }
  bool Int(int i) { return validator_.Int(i) || refuse(std::to_string(i)); }
  bool Uint(unsigned i) { return validator_.Uint(i) || refuse(std::to_string(i)); }
  bool Int64(int64_t i) { return validator_.Int64(i) || refuse(std::to_string(i)); }
  bool Uint64(uint64_t i) { return validator_.Uint64(i) || refuse(std::to_string(i)); }
  // 2.0 is an integer in draft 7, but not in draft 4, which the validator implements. The validator
  // casts doubles to integers. A double that is too large for this cast becomes 2^63 or
  // -2^63, which is beyond every bound that a schema may have.
  bool Double(double d) {
    if (std::trunc(d) == d && std::abs(d) <= kIntegersMax) return Int64(static_cast<int64_t>(d));
    const double safe = std::clamp(d, -2 * kSchemaNumberMax, 2 * kSchemaNumberMax);
    return validator_.Double(safe) || refuse(print(rapidjson::Value(d)));
  }
  bool RawNumber(const char*, SizeType, bool) { return false; }  // not called with these flags
  bool String(const char* text, SizeType size, bool copy) {
    return validator_.String(text, size, copy) ||
           refuse(quote(std::string_view(text, std::min<size_t>(size, kShownBytesMax))));
  }
  bool Key(const char* text, SizeType size, bool copy) {
    return validator_.Key(text, size, copy) || refuse("a member of this name");
  }
  bool StartObject() { return validator_.StartObject() || refuse("an object"); }
  bool EndObject(SizeType count) {
    return validator_.EndObject(count) ||
           refuse("an object of " + std::to_string(count) + " members");
  }
  bool StartArray() { return validator_.StartArray() || refuse("an array"); }
  bool EndArray(SizeType count) {
    return validator_.EndArray(count) ||
           refuse("an array of " + std::to_string(count) + " elements");
  }

  const std::string& found() const { return found_; }
  size_t at() const { return at_; }

 private:
  bool refuse(std::string found) {
    found_ = std::move(found);
    at_ = stream_.Tell();
    return false;
  }

  rapidjson::SchemaValidator& validator_;
  const rapidjson::MemoryStream& stream_;
  std::string found_;
  size_t at_ = 0;  // the end of the refused value
};

// Whether every value of this type is valid, whatever is in it. False: some may be invalid.
bool accepts_all_of(const rapidjson::Value& schema, std::string_view type) {
  const auto is_type = [type](const rapidjson::Value& name) { return text_of(name) == type; };
  const auto accepts = [type](const rapidjson::Value& one) { return accepts_all_of(one, type); };
  return std::all_of(schema.MemberBegin(), schema.MemberEnd(), [&](const auto& member) {
    const std::string_view keyword = text_of(member.name);
    const rapidjson::Value& value = member.value;
    if (keyword == "type" && value.IsString()) return is_type(value);
    if (keyword == "type") return std::any_of(value.Begin(), value.End(), is_type);
    if (keyword == "anyOf") return std::any_of(value.Begin(), value.End(), accepts);
    // These keywords accept all elements or members if their value is true or an empty schema.
    const bool is_of_parts = keyword == "items" || keyword == "additionalProperties";
    return is_of_parts && (value.IsTrue() || (value.IsObject() && value.ObjectEmpty()));
  });
}

}  // namespace

struct Schema::Compiled {
  explicit Compiled(rapidjson::Document translated)
      : source(std::move(translated)),
        document(source),
        accepts_objects(accepts_all_of(source, "object")),
        accepts_arrays(accepts_all_of(source, "array")) {}

  rapidjson::Document source;
  rapidjson::SchemaDocument document;
  bool accepts_objects, accepts_arrays;  // whatever is in them
};

Schema::Schema(std::unique_ptr<Compiled> compiled) : compiled_(std::move(compiled)) {}
Schema::Schema(Schema&&) noexcept = default;
Schema& Schema::operator=(Schema&&) noexcept = default;
Schema::~Schema() = default;

tl::expected<Schema, std::string> Schema::compile(std::string_view text) {
  // find_fault() comes first: it calls scan(), which bounds the nesting.
  if (auto fault = find_fault(text)) return tl::unexpected(": " + *fault);
  rapidjson::Document schema;
  schema.Parse(text.data(), text.size());
  if (schema.HasParseError()) {
    // scan() accepts more than RapidJSON's document does: see scan.h.
    return tl::unexpected(": expected JSON at byte " + std::to_string(schema.GetErrorOffset()));
  }
  rapidjson::Document translated;
  auto value = translate(schema, translated.GetAllocator());
  if (!value) return tl::unexpected(std::move(value.error()));
  static_cast<rapidjson::Value&>(translated).Swap(*value);
  return Schema(std::make_unique<Compiled>(std::move(translated)));
}

bool Schema::is_anything() const {
  return compiled_->source.ObjectEmpty();
}

bool Schema::accepts_each(char first) const {
  return is_anything() || (first == '{' && compiled_->accepts_objects) ||
         (first == '[' && compiled_->accepts_arrays);
}

std::optional<Schema::Mismatch> Schema::find_mismatch(std::string_view text) const {
  rapidjson::SchemaValidator validator(compiled_->document);
  rapidjson::MemoryStream stream(text.data(), text.size());
  Feed feed(validator, stream);
  rapidjson::Reader reader;
  const rapidjson::ParseResult result = reader.Parse(stream, feed);
  if (!result.IsError()) return {};
  Mismatch mismatch;
  if (validator.IsValid()) {
    mismatch.expected = "valid characters, and numbers within a double's range";
    mismatch.found = "an invalid one at byte " + std::to_string(result.Offset());
    return mismatch;
  }
  const auto place = validator.GetInvalidDocumentPointer();
  rapidjson::StringBuffer pointer;
  place.Stringify(pointer);
  mismatch.pointer = cut({pointer.GetString(), pointer.GetSize()});
  mismatch.keyword = validator.GetInvalidSchemaKeyword();
  mismatch.found = feed.found();
  const rapidjson::Value& schema = *validator.GetInvalidSchemaPointer().Get(compiled_->source);
  if (mismatch.keyword == "anyOf") {
    const std::string_view value = find_value_before(feed.at(), text);
    if (const auto* meant = find_meant(schema["anyOf"], value)) {
      rapidjson::Document part;
      part.CopyFrom(*meant, part.GetAllocator());
      auto inner = Schema(std::make_unique<Compiled>(std::move(part))).find_mismatch(value);
      if (inner) return inner->pointer = cut(pointer.GetString() + inner->pointer), inner;
    }
  }
  if (mismatch.keyword == "required") {
    mismatch.expected = find_missing(schema["required"], text, feed.at()) + " (required)";
    mismatch.found = "no such member";
    return mismatch;
  }
  if (mismatch.keyword == "additionalProperties" && place.GetTokenCount() > 0) {
    const auto& last = place.GetTokens()[place.GetTokenCount() - 1];
    mismatch.expected = list_members(schema, {last.name, last.length});
    if (!mismatch.expected.empty()) return mismatch.found = "another", mismatch;
  }
  const rapidjson::Value& wanted = schema[mismatch.keyword.c_str()];
  const bool is_bound = mismatch.keyword == "minimum" || mismatch.keyword == "maximum";
  if (is_bound &&
      schema.HasMember(mismatch.keyword == "minimum" ? "exclusiveMinimum" : "exclusiveMaximum")) {
    mismatch.keyword = mismatch.keyword == "minimum" ? "exclusiveMinimum" : "exclusiveMaximum";
  }
  const bool is_name = mismatch.keyword == "type" && wanted.IsString();
  mismatch.expected =
      mismatch.keyword + ' ' + cut(is_name ? std::string(text_of(wanted)) : print(wanted));
  return mismatch;
}

}  // namespace ringmaster::json
