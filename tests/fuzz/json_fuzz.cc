// base/json/scan and templates: the input is a text that may be JSON.
//
// Whatever the text:
// - scan() and an independent reader agree on whether the text is JSON. RapidJSON agrees, too,
//   except for the texts that it is known to refuse.
// - Every span that scan() reports lies where its value lies.
// - find_member() finds the members that a tree of the text has.
// - quote() makes JSON of the text. mask() keeps its length, and its validity.
// - As a value in a request, the text does not leave its place.
#include <algorithm>
#include <array>
#include <map>
#include <rapidjson/document.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/writer.h>
#include <string>
#include <vector>

#include "base/json/mask.h"
#include "base/json/scan.h"
#include "fuzz.h"
#include "json_oracle.h"
#include "upstream/request_template.h"

namespace ringmaster {
namespace {

using rapidjson::Document;

constexpr size_t kPathsMax = 8;

bool is_json(std::string_view text, size_t depth_max = json::kMaxDepth) {
  return fuzz::JsonOracle::is_json(text, depth_max);
}

// False: RapidJSON does not accept the text.
bool read_tree(std::string_view text, Document& tree) {
  rapidjson::MemoryStream stream(text.data(), text.size());
  tree.ParseStream<rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag>(stream);
  return !tree.HasParseError() && stream.Tell() == text.size();
}

// Prints a value for comparisons. A number that RapidJSON rounds to infinity is no error.
std::string write(const rapidjson::Value& value) {
  rapidjson::StringBuffer out;
  rapidjson::Writer<rapidjson::StringBuffer, rapidjson::UTF8<>, rapidjson::UTF8<>,
                    rapidjson::CrtAllocator, rapidjson::kWriteNanAndInfFlag>
      writer(out);
  RM_ASSERT(value.Accept(writer));
  return {out.GetString(), out.GetSize()};
}

// Checks each value's span when the scan reports it.
class Spans final : public json::Visitor {
 public:
  explicit Spans(std::string_view text) : text_(text) {}
  void restart() override { depth_ = last_end_ = 0; }
  void key(std::string_view, size_t depth) override { RM_ASSERT(depth > 0 && depth == depth_); }
  void enter(json::Kind kind, size_t depth) override {
    RM_ASSERT(kind == json::Kind::kObject || kind == json::Kind::kArray);
    RM_ASSERT(depth == depth_++ && depth < json::kMaxDepth);
  }
  void value(const json::Value& value) override {
    const bool is_container = value.kind == json::Kind::kObject || value.kind == json::Kind::kArray;
    if (is_container) --depth_;
    RM_ASSERT(value.depth == depth_);
    RM_ASSERT(fuzz::is_inside(value.raw, text_) && !value.raw.empty());
    static constexpr std::array<std::string_view, 6> kFirst = {"n",  "tf", "-0123456789",
                                                               "\"", "{",  "["};
    const std::string_view first = kFirst[static_cast<size_t>(value.kind)];
    RM_ASSERT(first.find(value.raw.front()) != std::string_view::npos);
    const auto end = static_cast<size_t>(value.raw.data() - text_.data()) + value.raw.size();
    RM_ASSERT(end > last_end_);
    last_end_ = end;
    if (!is_container) scalars_.emplace_back(value.raw);
  }
  // REQUIRES: the text is JSON. If it is not, its reported values mean nothing.
  void finish() const {
    RM_ASSERT(depth_ == 0);
    for (const std::string_view scalar : scalars_)
      RM_ASSERT(is_json(scalar));
  }

 private:
  std::string_view text_;
  size_t depth_ = 0;
  size_t last_end_ = 0;
  std::vector<std::string_view> scalars_;
};

// The members, of an object and of the objects in it, that a dotted path can name. Of duplicate
// keys the last one counts.
struct Named {
  std::string path;
  const rapidjson::Value* value;
};
void name_members(const rapidjson::Value& object, const std::string& prefix,
                  std::vector<Named>& named) {
  for (auto member = object.MemberEnd(); member != object.MemberBegin();) {
    --member;
    const std::string key(member->name.GetString(), member->name.GetStringLength());
    const std::string path = prefix + key;
    const bool is_shadowed =
        std::any_of(named.begin(), named.end(), [&](const Named& one) { return one.path == path; });
    if (key.find('.') != std::string::npos || is_shadowed || named.size() >= kPathsMax) continue;
    named.push_back({path, &member->value});
    if (member->value.IsObject()) name_members(member->value, path + '.', named);
  }
}

void check_members(std::string_view text, const Document& tree) {
  if (!tree.IsObject()) return;
  std::vector<Named> named;
  name_members(tree, "", named);
  for (const Named& one : named) {
    const std::string_view raw = json::find_member(text, one.path);
    Document found;
    RM_ASSERT(fuzz::is_inside(raw, text) && read_tree(raw, found));
    RM_ASSERT(write(found) == write(*one.value));
  }
}

// Uses the text as the template of a body; then as a value in a path, a query and a header.
void check_template(std::string_view text) {
  const std::vector<std::string> steps = {"users"};
  const std::map<std::string, std::string> secrets = {{"s", "secret"}};
  const upstream::Scope scope{steps, &secrets};
  upstream::RequestTemplate body;
  if (!body.set_body(text, scope)) {
    RM_ASSERT(is_json(body.body()));
    const std::vector<std::string_view> values(body.references().size(), text);
    const auto made = body.render(values);
    RM_ASSERT(!made || is_json(made->body, 2 * json::kMaxDepth));
  }
  upstream::RequestTemplate request;
  RM_ASSERT(!request.set_path("/a/${params.x}/b", scope));
  RM_ASSERT(!request.add_query("q", "${users}", scope));
  RM_ASSERT(!request.add_header("X-A", "a ${client.name}", scope));
  const std::vector<std::string_view> values(3, text);
  const auto made = request.render(values);
  if (!made) return;
  const auto is_plain = [](char c) { return c > ' ' && c <= '~' && c != '#' && c != '\\'; };
  RM_ASSERT(std::ranges::all_of(made->target, is_plain));
  RM_ASSERT(std::ranges::count(made->target, '/') == 3 &&
            std::ranges::count(made->target, '?') == 1);
  RM_ASSERT(made->headers.size() == 1 &&
            made->headers[0].find_first_of("\r\n") == std::string::npos);
}

}  // namespace
}  // namespace ringmaster

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ringmaster;
  const std::string_view text = fuzz::text_of(data, size);
  Document tree;
  const bool has_tree = read_tree(text, tree);
  const bool is_valid = is_json(text);
  Spans spans(text);
  RM_ASSERT(!json::scan(text, spans) == is_valid);
  RM_ASSERT(is_json(json::mask(text)) == is_valid && json::mask(text).size() == text.size());
  RM_ASSERT(!has_tree || is_valid || is_json(text, size));
  RM_ASSERT(has_tree || !is_valid ||
            tree.GetParseError() == rapidjson::kParseErrorStringUnicodeSurrogateInvalid ||
            tree.GetParseError() == rapidjson::kParseErrorNumberTooBig);
  Document quoted;
  const std::string quote = json::quote(text);
  RM_ASSERT(is_json(quote) && read_tree(quote, quoted) && json::quote(text).size() >= size + 2);
  if (!is_valid) return 0;
  spans.finish();
  RM_ASSERT(quoted.GetString() == std::string(text));
  if (has_tree) check_members(text, tree);
  check_template(text);
  return 0;
}
