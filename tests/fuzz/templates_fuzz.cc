// The request of a fetch step: the input is the step's configuration and the values for it, one a
// line. A line's first byte says what follows:
//
//   /  the path, slash included    @  NAME=TEMPLATE, a header    <  the params
//   ?  NAME=TEMPLATE of the query  =  the body                   >  the output of step "users"
//
// Whatever the values: the request is what an independent reading of the templates makes of them,
// or both refuse them. libcurl, which sends the request, finds the same path and query in it. No
// value makes a segment of the path, a field of the query, a header or a line.
#include <algorithm>
#include <curl/curl.h>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "fuzz.h"
#include "json_oracle.h"
#include "template_oracle.h"
#include "upstream/request_template.h"

namespace ringmaster::upstream {
namespace {

using fuzz::TemplateOracle;
using Field = std::pair<std::string_view, std::string_view>;  // name, template

constexpr size_t kHeadBytesMax = 64 << 10;
constexpr std::string_view kId = R"("/../?\r\n")", kClient = R"("a\n/../b?c=d&e#\u0000\u007f")";
constexpr std::string_view kEarlier = R"({"c":[null,-0.0,"\ud800",{"d":" \"x\" "}],"c.d":1})";
const std::map<std::string, std::string> kSecrets = {{"key", "s3cret \"quoted\" \\"}};
const std::vector<std::string> kSteps = {"users", "users.x"};  // the second one: kEarlier
const Scope kScope{kSteps, &kSecrets};

struct Step {
  std::string_view path, body, params, output;
  std::vector<Field> query, headers;
};

// What the configuration and the server guarantee: the file is UTF-8, bodies and params are JSON.
bool is_json(std::string_view text) {
  return fuzz::JsonOracle::is_json(text, json::kMaxDepth);
}
bool is_utf8(std::string_view text) {
  std::string plain(text);
  std::ranges::replace_if(
      plain, [](char c) { return fuzz::is_control(c) || c == '"' || c == '\\'; }, ' ');
  return is_json('"' + plain + '"');
}

// Empty: this can be no configuration.
std::optional<Step> read_step(std::string_view input) {
  Step step;
  while (!input.empty()) {
    const std::string_view line = input.substr(0, input.find('\n'));
    input.remove_prefix(std::min(line.size() + 1, input.size()));
    if (line.empty()) continue;
    const std::string_view text = line.substr(1), name = text.substr(0, text.find('='));
    const Field field(name, text.substr(std::min(name.size() + 1, text.size())));
    if (line.front() != '>' && !is_utf8(line)) return {};
    if ((line.front() == '=' || line.front() == '<') && !is_json(text)) return {};
    if (line.front() == '/') step.path = line;
    if (line.front() == '?') step.query.push_back(field);
    if (line.front() == '@') step.headers.push_back(field);
    if (line.front() == '=') step.body = text;
    if (line.front() == '<') step.params = text;
    if (line.front() == '>') step.output = text;
  }
  return step;
}

// Empty: it is refused.
std::optional<RequestTemplate> compile(const Step& step) {
  RequestTemplate made;
  const auto is_good = [](const std::optional<std::string>& fault) {
    if (fault) RM_ASSERT(!fault->empty());
    return !fault;
  };
  if (!step.body.empty() && !is_good(made.set_body(step.body, kScope))) return {};
  if (!step.path.empty() && !is_good(made.set_path(step.path, kScope))) return {};
  for (const auto& [name, text] : step.query)
    if (!is_good(made.add_query(name, text, kScope))) return {};
  for (const auto& [name, text] : step.headers)
    if (!is_good(made.add_header(name, text, kScope))) return {};
  return made;
}

// As the server finds them.
std::vector<std::string_view> values_of(const RequestTemplate& request, const Step& step) {
  const auto find_in = [](std::string_view json, const std::string& path) {
    if (!path.empty()) return json::find_member(json, path);
    return json::find_fault(json) ? std::string_view() : json::trimmed(json);
  };
  std::vector<std::string_view> values;
  for (const Reference& reference : request.references()) {
    std::string_view& value = values.emplace_back();
    if (reference.source == Reference::Source::kParams)
      value = find_in(step.params, reference.path);
    if (reference.source == Reference::Source::kStep)
      value = find_in(reference.step == 0 ? step.output : kEarlier, reference.path);
    if (reference.source == Reference::Source::kRequest && reference.path == "id") value = kId;
    if (reference.source == Reference::Source::kClient) value = kClient;
  }
  return values;
}

TemplateOracle oracle_of(const Step& step) {
  return TemplateOracle([step](std::string_view name) -> std::string_view {
    const auto is_of = [&](std::string_view source) {
      return name.starts_with(source) &&
             (name.size() == source.size() || name[source.size()] == '.');
    };
    const auto in = [&](std::string_view source, std::string_view json) {
      const std::string_view path = name.substr(std::min(source.size() + 1, name.size()));
      return is_json(json) ? fuzz::member_at(json, path) : std::string_view();
    };
    if (name == "request.id") return kId;
    if (name == "request.traceparent") return "";
    if (name == "client.name") return kClient;
    if (name == "secret.key") return R"("s3cret \"quoted\" \\")";
    if (is_of("params")) return in("params", step.params);
    if (is_of("users.x")) return in("users.x", kEarlier);
    RM_ASSERT(is_of("users"));
    return in("users", step.output);
  });
}

// The request that the step's templates mean, its body in the canonical form. Empty: a value is
// refused.
std::optional<RequestTemplate::Rendered> expected_of(const Step& step,
                                                     const RequestTemplate& request) {
  const TemplateOracle oracle = oracle_of(step);
  RequestTemplate::Rendered expected;
  bool is_refused = false;
  const auto value_or_refused = [&](const TemplateOracle::Text& text) {
    is_refused |= !text;
    return text.value_or("");
  };
  if (!step.body.empty()) expected.body = value_or_refused(oracle.body(step.body));
  expected.target = value_or_refused(oracle.path(step.path));
  char separator = '?';
  for (const auto& [name, text] : step.query) {
    expected.target += std::exchange(separator, '&') + fuzz::percent_encoded_plainly(name) + '=' +
                       value_or_refused(oracle.query(text));
  }
  size_t bytes = expected.target.size();
  for (size_t i = 0; i < step.headers.size(); ++i) {
    const auto& [name, text] = step.headers[i];
    const std::string value = value_or_refused(oracle.header(text));
    const bool is_blank = value.find_first_not_of(' ') == std::string::npos;
    expected.headers.push_back(std::string(name) + (is_blank ? ";" : ": " + value));
    if (!request.headers()[i].second.is_constant()) bytes += expected.headers.back().size();
  }
  if (is_refused || bytes > kHeadBytesMax) return {};
  return expected;
}

std::string part_of(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return "";
  const std::unique_ptr<char, decltype(&curl_free)> owned(text, curl_free);
  return text;
}

// libcurl takes the target apart as servers do, and removes "." and "..".
void check_target(const Step& step, const std::string& target) {
  const std::string path = target.substr(0, target.find('?'));
  const std::string query = target.substr(std::min(path.size() + 1, target.size()));
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> url(curl_url(), curl_url_cleanup);
  RM_ASSERT(curl_url_set(url.get(), CURLUPART_URL, ("http://host/base" + target).c_str(), 0) ==
            CURLUE_OK);
  RM_ASSERT(part_of(url.get(), CURLUPART_HOST) == "host");
  RM_ASSERT(part_of(url.get(), CURLUPART_PATH) == "/base" + path);
  RM_ASSERT(part_of(url.get(), CURLUPART_QUERY) == query);
  RM_ASSERT(part_of(url.get(), CURLUPART_FRAGMENT).empty());
  RM_ASSERT(std::ranges::count(query, '=') == std::ssize(step.query));
  RM_ASSERT(std::ranges::count(query, '&') == std::max(std::ssize(step.query) - 1, 0L));
}

void check(const Step& step, const RequestTemplate& request) {
  auto made = request.render(values_of(request, step));
  auto expected = expected_of(step, request);
  RM_ASSERT(made.has_value() == expected.has_value());
  if (!made) RM_ASSERT(!made.error().message.empty());
  if (!made) return;
  RM_ASSERT(made->target == expected->target);
  check_target(step, made->target);
  made->headers.insert(made->headers.end(), request.constant_headers().begin(),
                       request.constant_headers().end());
  std::ranges::sort(made->headers);
  std::ranges::sort(expected->headers);
  RM_ASSERT(made->headers == expected->headers);
  for (const std::string& line : made->headers)
    RM_ASSERT(std::ranges::none_of(line, fuzz::is_control));
  RM_ASSERT(made->body.empty() == step.body.empty());
  if (step.body.empty()) return;
  RM_ASSERT(fuzz::JsonOracle::is_json(made->body, 2 * json::kMaxDepth));
  RM_ASSERT(TemplateOracle::canonical(made->body) == expected->body);
}

}  // namespace
}  // namespace ringmaster::upstream

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ringmaster;
  const auto step = upstream::read_step(fuzz::text_of(data, size));
  const auto request = step ? upstream::compile(*step) : std::nullopt;
  if (request) upstream::check(*step, *request);
  return 0;
}
