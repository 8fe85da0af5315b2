#include "upstream/template.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/assert.h"
#include "base/json/scan.h"
#include "base/nearest.h"

namespace ringmaster::upstream {
namespace {

using Source = Reference::Source;
using Form = Template::Part::Form;

// Of a value in a path, a query or a header. Servers refuse longer heads of requests.
constexpr size_t kTextBytesMax = 16 << 10;

constexpr std::string_view kSources[] = {"params", "secret", "request", "client"};
constexpr std::string_view kRequestMembers[] = {"id", "traceparent"};
constexpr std::string_view kClientMembers[] = {"name"};

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

tl::unexpected<std::string> unknown(std::string_view what, std::string_view name,
                                    const std::vector<std::string_view>& known) {
  return tl::unexpected(fmt::format("unknown {} \"{}\"{}", what, name, did_you_mean(name, known)));
}

// "a.b" of "${a.b}" has only parts that are not empty.
bool is_path(std::string_view path) {
  return path.empty() ||
         (path.front() != '.' && path.back() != '.' && path.find("..") == std::string_view::npos);
}

// The last of the steps whose name begins `name`, up to a dot or the end: names may have dots, so
// the longest one counts.
std::optional<size_t> find_step(std::string_view name, std::span<const std::string> steps) {
  std::optional<size_t> found;
  for (size_t i = 0; i < steps.size(); ++i) {
    const std::string& step = steps[i];
    const bool begins = !step.empty() && name.starts_with(step) &&
                        (name.size() == step.size() || name[step.size()] == '.');
    if (begins && (!found || step.size() >= steps[*found].size())) found = i;
  }
  return found;
}

// A default is JSON where it can be read as such, else text.
std::string json_of(std::string_view fallback) {
  return json::find_fault(fallback) ? json::quote(fallback) : std::string(json::trimmed(fallback));
}

tl::expected<Reference, std::string> find_secret(Reference made, const Scope& scope,
                                                 Template::Place place) {
  if (place == Template::Place::kPath || place == Template::Place::kQuery) {
    return tl::unexpected(
        fmt::format("the secret {} belongs into a header or a body: paths and "
                    "queries are written into logs",
                    made.path));
  }
  const auto secret = scope.secrets->find(made.path);
  if (secret == scope.secrets->end()) {
    std::vector<std::string_view> known;
    for (const auto& [name, text] : *scope.secrets)
      known.push_back(name);
    return unknown("secret", made.path, known);
  }
  made.fallback = json::quote(secret->second);  // no request has a value for it
  return made;
}

// `inside`: what is between "${" and "}".
tl::expected<Reference, std::string> parse_reference(std::string_view inside, const Scope& scope,
                                                     Template::Place place) {
  const size_t colon = inside.find(':');
  const std::string_view name = inside.substr(0, colon);
  Reference made{.source = Source::kParams, .path = {}, .name = std::string(name), .fallback = {}};
  if (colon != std::string_view::npos) {
    const std::string_view fallback = inside.substr(colon + 1);
    if (fallback.find('{') != std::string_view::npos) {  // its "}" would be the reference's end
      return tl::unexpected(
          fmt::format("expected a default without \"{{\" and \"}}\", found \"{}...\"", fallback));
    }
    made.fallback = json_of(fallback);
  }
  std::string_view source = name.substr(0, name.find('.'));
  std::optional<size_t> step;
  if (scope.has_params && !is_source(source)) step = find_step(name, scope.steps);
  if (step) source = scope.steps[*step];
  if (source.size() < name.size()) made.path = name.substr(source.size() + 1);
  if (!is_path(made.path) || (source.size() < name.size() && made.path.empty())) {
    return tl::unexpected(fmt::format("expected names with dots between them, found \"{}\"", name));
  }
  const auto member_of = [&](Source its, std::span<const std::string_view> members) {
    made.source = its;
    return std::ranges::find(members, made.path) != members.end();
  };
  if (step) {
    made.source = Source::kStep;
    made.step = *step;
    return made;
  }
  if (source == "params" && scope.has_params) return made;
  if (source == "secret") {
    made.source = Source::kSecret;
    return find_secret(std::move(made), scope, place);
  }
  if (source == "request") {
    if (member_of(Source::kRequest, kRequestMembers)) return made;
    return tl::unexpected<std::string>("expected ${request.id} or ${request.traceparent}");
  }
  if (source == "client") {
    if (member_of(Source::kClient, kClientMembers)) return made;
    return tl::unexpected<std::string>("expected ${client.name}");
  }
  if (source == "params") {
    return tl::unexpected<std::string>(
        "params and steps differ by method: expected secret, request or client");
  }
  std::vector<std::string_view> known = {"secret", "request", "client"};
  if (scope.has_params) {
    known.push_back("params");
    known.insert(known.end(), scope.steps.begin(), scope.steps.end());
  }
  if (!scope.has_params) return unknown("source", source, known);
  if (const auto later = find_step(name, scope.later)) {
    return tl::unexpected(
        fmt::format("step \"{}\" does not end before this one begins: move it "
                    "up, or name an earlier step",
                    scope.later[*later]));
  }
  if (nearest(source, known).empty()) {
    return tl::unexpected(fmt::format(
        "unknown source or earlier step \"{}\"; a parameter is ${{params.NAME}}", source));
  }
  return unknown("source or earlier step", source, known);
}

size_t name_bytes(std::string_view text) {
  const auto is_other = [](char c) { return !is_unreserved(c) || c == '-' || c == '~'; };
  return static_cast<size_t>(std::ranges::find_if(text, is_other) - text.begin());
}

// Splits a text at its references. see_text(text) gets what is between them, with "$$" as a dollar;
// see_reference(reference) gets each of them.
template <class SeeText, class SeeReference>
std::optional<std::string> split(std::string_view text, const Scope& scope, Template::Place place,
                                 SeeText see_text, SeeReference see_reference) {
  while (!text.empty()) {
    const size_t dollar = text.find('$');
    see_text(text.substr(0, dollar));
    if (dollar == std::string_view::npos) return {};
    text.remove_prefix(dollar + 1);
    if (text.starts_with('$')) {
      see_text("$");
      text.remove_prefix(1);
      continue;
    }
    const size_t end = text.find('}');
    if (!text.starts_with('{') || end == std::string_view::npos) {
      // Templates were once written as $params.NAME.
      const std::string_view former =
          text.starts_with("params.") ? text.substr(0, name_bytes(text)) : "";
      return fmt::format("expected ${{NAME}}, or $$ for a dollar, found \"${}\"{}",
                         text.substr(0, 40),
                         former.empty() ? "" : fmt::format("; did you mean ${{{}}}?", former));
    }
    auto reference = parse_reference(text.substr(1, end - 1), scope, place);
    if (!reference) return reference.error();
    see_reference(std::move(*reference));
    text.remove_prefix(end + 1);
  }
  return {};
}

std::string json_inner(std::string_view text) {
  const std::string quoted = json::quote(text);
  return quoted.substr(1, quoted.size() - 2);
}

// What a reference's value is as text; an error: what was found instead.
tl::expected<std::string, std::string> text_of_value(std::string_view json) {
  const char first = json.empty() ? '\0' : json.front();
  if (first == '{') return tl::unexpected<std::string>("an object");
  if (first == '[') return tl::unexpected<std::string>("an array");
  if (first != '"') return std::string(json);
  std::optional<std::string> text = json::unquote(json);
  if (!text) return tl::unexpected<std::string>("a string that is not Unicode");
  return std::move(*text);
}

// Appends one value in its form. An error: what was expected and found.
std::optional<std::string> append_value(std::string& out, Form form, std::string_view json) {
  if (form == Form::kJson) {
    out += json;
    return {};
  }
  if (form != Form::kJsonText && json.size() > kTextBytesMax) {
    return fmt::format("at most {} bytes, found {}", kTextBytesMax, json.size());
  }
  const auto text = text_of_value(json);
  if (!text) return fmt::format("a string, a number or a boolean, found {}", text.error());
  switch (form) {
    case Form::kJson:
    case Form::kJsonText:
      out += json_inner(*text);
      return {};
    case Form::kPath:
      if (text->empty() || *text == "." || *text == "..") {
        return fmt::format("a part of a path, found \"{}\"", *text);
      }
      out += percent_encoded(*text);
      return {};
    case Form::kQuery:
      out += percent_encoded(*text);
      return {};
    case Form::kHeader:
      break;
  }
  const auto is_control = [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; };
  if (std::ranges::any_of(*text, is_control)) {
    return "a header's value, found a control character in it";
  }
  out += *text;
  return {};
}

Form form_of(Template::Place place) {
  return place == Template::Place::kPath    ? Form::kPath
         : place == Template::Place::kQuery ? Form::kQuery
                                            : Form::kHeader;
}

// Appends JSON text without the blanks between its tokens. `json` begins outside of a string.
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

// Finds the strings of a JSON text that may have references.
class StringFinder final : public json::Visitor {
 public:
  void restart() override { found.clear(); }
  void value(const json::Value& value) override {
    if (value.kind == json::Kind::kString && value.raw.find('$') != std::string_view::npos)
      found.push_back(value.raw);
  }

  std::vector<std::string_view> found;
};

}  // namespace

bool is_source(std::string_view name) {
  return std::ranges::find(kSources, name) != std::end(kSources);
}

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  out.reserve(3 * text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (is_unreserved(c))
      out += c;
    else
      out += {'%', kHex[byte >> 4], kHex[byte & 15]};
  }
  return out;
}

tl::expected<Template, std::string> Template::compile(std::string_view text, Place place,
                                                      const Scope& scope,
                                                      std::vector<Reference>& references) {
  if (place == Place::kBody) return compile_body(text, scope, references);
  Template made;
  made.source_ = text;
  const auto fault = split(
      text, scope, place,
      [&](std::string_view literal) {
        made.rest_ += place == Place::kQuery ? percent_encoded(literal) : std::string(literal);
      },
      [&](Reference&& reference) { made.add(std::move(reference), form_of(place), references); });
  if (fault) return tl::unexpected(*fault);
  return made;
}

tl::expected<Template, std::string> Template::compile_body(std::string_view json,
                                                           const Scope& scope,
                                                           std::vector<Reference>& references) {
  Template made;
  append_compact(made.source_, json);
  StringFinder strings;
  const auto no_json = json::scan(json, strings);
  RM_ASSERT(!no_json);
  size_t done = 0;  // the bytes of `json` that are in `made`
  for (const std::string_view raw : strings.found) {
    const auto text = text_of_value(raw);
    if (!text) continue;  // not Unicode: it stays as it is
    const auto begin = static_cast<size_t>(raw.data() - json.data());
    append_compact(made.rest_, json.substr(done, begin - done));
    done = begin + raw.size();
    const bool is_alone = text->starts_with("${") && text->find('}') == text->size() - 1;
    const Form form = is_alone ? Form::kJson : Form::kJsonText;
    const std::string_view quote = is_alone ? "" : "\"";
    made.rest_ += quote;
    const auto fault = split(
        *text, scope, Place::kBody,
        [&](std::string_view literal) { made.rest_ += json_inner(literal); },
        [&](Reference&& reference) { made.add(std::move(reference), form, references); });
    if (fault) return tl::unexpected(*fault);
    made.rest_ += quote;
  }
  append_compact(made.rest_, json.substr(done));
  return made;
}

void Template::add(Reference reference, Part::Form form, std::vector<Reference>& references) {
  parts_.push_back({std::exchange(rest_, {}), references.size(), form});
  references.push_back(std::move(reference));
}

std::optional<Template::Fault> Template::render(std::string& out,
                                                std::span<const Reference> references,
                                                std::span<const std::string_view> values) const {
  for (const Part& part : parts_) {
    out += part.before;
    const Reference& reference = references[part.reference];
    std::string_view value = values[part.reference];
    const bool is_null = value == "null" && part.form != Part::Form::kJson;
    if (value.empty() || is_null) value = reference.fallback;
    if (value.empty()) return Fault{part.reference, true, "found none"};
    if (auto expected = append_value(out, part.form, value))
      return Fault{part.reference, false, std::move(*expected)};
  }
  out += rest_;
  return {};
}

}  // namespace ringmaster::upstream
