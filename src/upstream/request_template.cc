#include "upstream/request_template.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/ascii.h"

namespace ringmaster::upstream {
namespace {

using Place = Template::Place;

// Of RFC 9110's field names.
bool is_token(std::string_view name) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::ranges::all_of(name, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kOthers.find(c) != std::string_view::npos;
  });
}

// Headers that say where the message ends or that libcurl and the server set.
constexpr std::string_view kReserved[] = {"connection",
                                          "content-length",
                                          "expect",
                                          "host",
                                          "te",
                                          "trailer",
                                          "traceparent",
                                          "transfer-encoding",
                                          "upgrade",
                                          "x-request-id",
                                          "x-request-timeout-ms"};

constexpr size_t kHeadBytesMax = 64 << 10;
constexpr size_t kBodyBytesMax = 64 << 20;

bool leads_elsewhere(std::string_view path) {
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    const std::string_view segment = path.substr(0, slash);
    if (segment == "." || segment == "..") return true;
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return false;
}

// Whether each "%" has its two hex digits, and no escape stands for a dot, a slash or a backslash.
bool has_whole_escapes(std::string_view path) {
  for (size_t at = path.find('%'); at != std::string_view::npos; at = path.find('%', at + 1)) {
    const auto byte = to_number<unsigned>(path.substr(at + 1, 2), 16);
    if (path.size() < at + 3 || !byte || *byte == '.' || *byte == '/' || *byte == '\\')
      return false;
  }
  return true;
}

bool is_of_a_url(std::string_view path) {
  return std::ranges::none_of(
      path, [](char c) { return c <= ' ' || c == 0x7f || c == '?' || c == '#' || c == '\\'; });
}

// libcurl leaves out a header "NAME: ", and sends "NAME;" as one with an empty value.
void keep_empty(std::string& line, size_t name_bytes) {
  if (line.find_first_not_of(" \t", name_bytes + 1) == std::string::npos)
    line.replace(name_bytes, std::string::npos, ";");
}

}  // namespace

tl::expected<Template, std::string> RequestTemplate::compile(std::string_view text, Place place,
                                                             const Scope& scope) {
  auto made = Template::compile(text, place, scope, references_);
  params_paths_.clear();
  for (const Reference& reference : references_) {
    if (reference.source == Reference::Source::kParams) params_paths_.push_back(reference.path);
  }
  return made;
}

std::optional<std::string> RequestTemplate::set_body(std::string_view json, const Scope& scope) {
  auto body = compile(json, Place::kBody, scope);
  if (!body) return body.error();
  body_ = std::move(*body);
  return {};
}

std::optional<std::string> RequestTemplate::set_path(std::string_view path, const Scope& scope) {
  auto compiled = compile(path, Place::kPath, scope);
  if (!compiled) return compiled.error();
  if (!path.starts_with('/')) return "expected a path that begins with \"/\"";
  std::string literal;  // with "x" for each value
  const std::vector<std::string_view> values(references_.size(), "\"x\"");
  if (compiled->render(literal, references_, values) || !is_of_a_url(literal)) {
    return "expected a path: without blanks, \"?\", \"#\" and \"\\\" (a query has its own key)";
  }
  if (!has_whole_escapes(literal)) {
    return "expected a path with whole escapes such as %20, and none for \".\", \"/\" and \"\\\"";
  }
  if (leads_elsewhere(literal)) return "expected a path without \".\" and \"..\"";
  path_ = std::move(*compiled);
  return {};
}

std::optional<std::string> RequestTemplate::add_query(std::string_view key, std::string_view value,
                                                      const Scope& scope) {
  auto compiled = compile(value, Place::kQuery, scope);
  if (!compiled) return compiled.error();
  query_.emplace_back(key, std::move(*compiled));
  return {};
}

std::optional<std::string> RequestTemplate::add_header(std::string_view name,
                                                       std::string_view value, const Scope& scope) {
  if (!is_token(name)) return "expected a header's name: letters, digits and hyphens";
  const auto is_same = [&](std::string_view other) { return iequals(name, other); };
  if (std::ranges::any_of(kReserved, is_same)) return "the server sets this header itself";
  if (has_header(name)) return "found twice";
  auto compiled = compile(value, Place::kHeader, scope);
  if (!compiled) return compiled.error();
  const auto is_control = [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; };
  if (std::ranges::any_of(value, is_control)) {
    return "expected a header's value without control characters";
  }
  if (compiled->is_constant()) {
    std::string line = fmt::format("{}: ", name);
    if (compiled->render(line, {}, {})) return "expected a header's value";
    keep_empty(line, name.size());
    constant_headers_.push_back(std::move(line));
  }
  headers_.emplace_back(name, std::move(*compiled));
  return {};
}

bool RequestTemplate::has_header(std::string_view name) const {
  return std::ranges::any_of(
      headers_, [&](std::string_view other) { return iequals(name, other); }, &Field::first);
}

std::string_view RequestTemplate::method() const {
  if (!method_.empty()) return method_;
  return has_body() ? "POST" : "GET";
}

tl::expected<RequestTemplate::Rendered, Template::Fault> RequestTemplate::render(
    std::span<const std::string_view> values) const {
  Rendered made;
  std::optional<Template::Fault> fault;
  const auto append = [&](const Template& from, std::string& out) {
    if (!fault) fault = from.render(out, references_, values);
  };
  if (body_) append(*body_, made.body);
  if (path_) append(*path_, made.target);
  char separator = '?';
  for (const auto& [key, value] : query_) {
    made.target += std::exchange(separator, '&');
    made.target += percent_encoded(key);
    made.target += '=';
    append(value, made.target);
  }
  for (const auto& [name, value] : headers_) {
    if (value.is_constant()) continue;
    std::string& line = made.headers.emplace_back(name + ": ");
    append(value, line);
    keep_empty(line, name.size());
  }
  size_t head_bytes = made.target.size();
  for (const std::string& line : made.headers)
    head_bytes += line.size();
  if (!fault && head_bytes > kHeadBytesMax) {
    fault = Template::Fault{{},
                            false,
                            fmt::format("at most {} bytes of path, query and headers, found {}",
                                        kHeadBytesMax, head_bytes)};
  }
  if (!fault && made.body.size() > kBodyBytesMax) {
    fault = Template::Fault{
        {},
        false,
        fmt::format("a body of at most {} bytes, found {}", kBodyBytesMax, made.body.size())};
  }
  if (fault) return tl::unexpected(std::move(*fault));
  return made;
}

}  // namespace ringmaster::upstream
