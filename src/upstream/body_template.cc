#include "upstream/body_template.h"

#include "base/assert.h"
#include "base/json/scan.h"

namespace ringmaster::upstream {
namespace {

constexpr std::string_view kParamsPrefix = "$params.";

// Appends JSON text without the whitespace between its tokens. `json` begins outside of a string.
void append_compact(std::string& out, std::string_view json) {
  bool in_string = false;
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string && c == '\\') {
      out += c;
      out += json[++i];
      continue;
    }
    if (c == '"') in_string = !in_string;
    if (in_string || (c != ' ' && c != '\t' && c != '\r' && c != '\n')) out += c;
  }
}

}  // namespace

// Splits the template at the strings that stand for parameters.
class BodyTemplate::Compiler final : public json::Visitor {
 public:
  Compiler(std::string_view json, BodyTemplate& made) : json_(json), made_(made) {}

  void restart() override {
    made_.literals_.assign(1, {});
    made_.names_.clear();
    done_ = 0;
  }
  void key(std::string_view, size_t) override {}
  void enter(json::Kind, size_t) override {}
  void value(const json::Value& value) override {
    if (value.kind != json::Kind::kString || !value.text.starts_with(kParamsPrefix)) return;
    const auto begin = static_cast<size_t>(value.raw.data() - json_.data());
    append_compact(made_.literals_.back(), json_.substr(done_, begin - done_));
    made_.names_.emplace_back(value.text.substr(kParamsPrefix.size()));
    made_.literals_.emplace_back();
    done_ = begin + value.raw.size();
  }
  void finish() { append_compact(made_.literals_.back(), json_.substr(done_)); }

 private:
  std::string_view json_;
  BodyTemplate& made_;
  size_t done_ = 0;  // the bytes of json_ that are in made_
};

BodyTemplate::BodyTemplate(std::string_view json) {
  Compiler compiler(json, *this);
  const auto fault = json::scan(json, compiler);
  RM_ASSERT(!fault);
  compiler.finish();
}

std::string BodyTemplate::source() const {
  std::string source = is_empty() ? "" : literals_.front();
  for (size_t i = 0; i < names_.size(); ++i) {
    source += json::quote(std::string(kParamsPrefix) + names_[i]) + literals_[i + 1];
  }
  return source;
}

tl::expected<std::string, std::string> BodyTemplate::render(
    std::span<const std::string_view> values) const {
  RM_ASSERT(values.size() == names_.size());
  if (is_empty()) return std::string();
  std::string body = literals_.front();
  for (size_t i = 0; i < names_.size(); ++i) {
    if (values[i].empty()) return tl::unexpected(names_[i]);
    body += values[i];
    body += literals_[i + 1];
  }
  return body;
}

}  // namespace ringmaster::upstream
