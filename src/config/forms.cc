#include "config/forms.h"

#include <fmt/format.h>

#include "base/json/scan.h"
#include "config/keys.h"
#include "config/options.h"
#include "config/problems.h"

namespace ringmaster::config {
namespace {

constexpr std::string_view kHostPort = R"(([\w.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5})";

std::string text_like(std::string_view pattern) {
  return R"("type":"string","pattern":)" + json::quote(pattern);
}

std::string list_of(std::string_view members, std::string_view more = "") {
  return fmt::format(R"("type":"array","items":{{{}}}{})", members, more);
}

std::string address_like(std::string_view more) {
  return text_like(fmt::format("^({}{}|unix:.+)$", more, kHostPort));
}

Form number_form(Type type, uint64_t min, uint64_t max) {
  const bool is_bounded = max != kNoLimit;
  std::string members = fmt::format(R"("type":"integer","minimum":{}{})", min,
                                    is_bounded ? fmt::format(R"(,"maximum":{})", max) : "");
  const auto or_else = [&](std::string_view other) {
    members = fmt::format(R"("anyOf":[{{{}}},{{{}}}])", members, other);
  };
  if (type == Type::kBytes) or_else(text_like("^[0-9]+([KMG]iB)?$"));
  if (type == Type::kCountOrAuto) or_else(R"("const":"auto")");
  return {range_text(type, min, max), std::move(members)};
}

// One of these texts.
Form choice_form(std::span<const std::string_view> texts) {
  std::string words;
  for (const std::string_view text : texts)
    words += (words.empty() ? "" : ",") + json::quote(text);
  return {choice_text(texts), fmt::format(R"("enum":[{}])", words)};
}

// One URL, or an array of several.
Form form_of_url() {
  const std::string url = text_like(R"(^(https?://[^/?#:\s][^\s]*|unix:.+)$)");
  const std::string urls = list_of(
      url,
      fmt::format(R"(,"minItems":1,"maxItems":{},"uniqueItems":true)", upstream::kAddressesMax));
  return {fmt::format("http://..., https://... or unix:PATH, or an array of 1 to {} of these",
                      upstream::kAddressesMax),
          fmt::format(R"("anyOf":[{{{}}},{{{}}}])", url, urls)};
}

Form form_of_hedge() {
  const auto form = [](std::string_view name) {
    const Key<upstream::Hedge>& key = *find_key(kHedgeKeys, name);
    return number_form(key.type, key.min, key.max);
  };
  const std::string after =
      fmt::format(R"("anyOf":[{{{}}},{{{}}}])", text_like("^p[5-9][0-9]$"), form("after").members);
  const Form budget = form("budget_percent");
  return {fmt::format(R"({{ after = "p50" to "p99" or ms, budget_percent = {} }}, or {{}})",
                      budget.title),
          fmt::format(R"("type":"object","properties":{{"after":{{{}}},"budget_percent":{{{}}}}},)"
                      R"("dependencies":{{"budget_percent":["after"]}},)"
                      R"("additionalProperties":false)",
                      after, budget.members)};
}

Form cache_form() {
  std::string properties;
  for (const Key<CacheOptions>& key : kCacheKeys) {
    const Form form = number_form(key.type, key.min, key.max);
    properties += fmt::format(R"({}{}:{{"title":{},"description":{},{}}})",
                              properties.empty() ? "" : ",", json::quote(key.name),
                              json::quote(form.title), json::quote(key.meaning), form.members);
  }
  return {"a table such as { ttl_ms = 1000 }",
          fmt::format(R"("type":"object","properties":{{{}}},"additionalProperties":false)",
                      properties)};
}

// The second half of form_of(): most of these types are for upstreams, handlers and methods.
Form form_of_reference(Type type) {
  const std::string some_text = R"("type":"string","minLength":1)";
  switch (type) {
    case Type::kUrl:
      return form_of_url();
    case Type::kHttpVersion:
      return choice_form(kHttpVersions);
    case Type::kRedirects:
      return choice_form(kRedirects);
    case Type::kOptionalUrl:
      return {R"(http://..., https://... or "")", text_like(R"(^(https?://[^/?#:\s][^\s]*)?$)")};
    case Type::kLibrary:
      return {"a name or a path", some_text};
    case Type::kPython:
      return {R"("FILE.py:NAME" or "MODULE:NAME")", text_like("^.+:[^:.]+$")};
    case Type::kSteps:
      return {fmt::format("1 to {} steps", master::kMaxSteps),
              list_of(R"("$ref":"#/definitions/step")",
                      fmt::format(R"(,"minItems":1,"maxItems":{})", master::kMaxSteps))};
    case Type::kName:
      return {"a name", some_text};
    case Type::kPath:
      return {"a path", text_like("^/")};
    case Type::kQuery:
      return {"a table of texts, numbers and booleans",
              R"("type":"object","additionalProperties":{"type":["string","number","boolean"]})"};
    case Type::kFields:
      return {"a table of texts", R"("type":"object","additionalProperties":{"type":"string"})"};
    case Type::kHttpMethod:
      return choice_form(kHttpMethods);
    case Type::kParallel:
      return {"fetch steps",
              list_of(R"("allOf":[{"$ref":"#/definitions/step"},{"required":["fetch"]}])",
                      R"(,"minItems":1)")};
    case Type::kHedge:
      return form_of_hedge();
    case Type::kCache:
      return cache_form();
    case Type::kBody:
      return {"a table or an array", R"("$ref":"#/definitions/body")"};
    default:
      return {};
  }
}

}  // namespace

Form form_of(Type type, uint64_t min, uint64_t max) {
  const std::string any_text = R"("type":"string")";
  const std::string some_text = R"("type":"string","minLength":1)";
  switch (type) {
    case Type::kCount:
    case Type::kMs:
    case Type::kBytes:
    case Type::kCountOrAuto:
      return number_form(type, min, max);
    case Type::kFlag:
      return {"true or false", R"("type":"boolean")"};
    case Type::kText:
      return {"a line of text", any_text};
    case Type::kAddress:
      return {R"("HOST:PORT", "unix:PATH" or "")", address_like("|")};
    case Type::kAddresses:
      return {R"(an array of "HOST:PORT", "tls://HOST:PORT" and "unix:PATH")",
              list_of(address_like("(tls://)?"), R"(,"minItems":1)")};
    case Type::kOrigins:
      return {R"(an array of origins such as "https://app.example"; "*" is any)",
              list_of(text_like(R"(^(\*|null|.+://[^/]+)$)"))};
    case Type::kRanges:
      return {R"(an array of ranges such as "10.0.0.0/8", and of addresses)",
              list_of(text_like(R"(^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$)"))};
    case Type::kOptionalPath:
      return {R"(a path, or "")", any_text};
    case Type::kFile:
      return {"a path", some_text};
    case Type::kUser:
      return {"a user, by name or number", some_text};
    case Type::kOwner:
      return {R"(a name or a number, or "")", any_text};
    case Type::kMode:
      return {R"("0000" to "0777", octal)", text_like("^0*[0-7]{1,3}$")};
    case Type::kSandbox:
      return {fmt::format("true, false or \"{}\"", kBestEffort),
              fmt::format(R"("enum":[true,false,"{}"])", kBestEffort)};
    case Type::kFairBy:
      return choice_form(kFairBy);
    case Type::kAccess: {
      Form number = number_form(Type::kCount, min, max);
      return {"\"off\", \"all\", or " + number.title,
              fmt::format(R"("anyOf":[{{"enum":["off","all"]}},{{{}}}])", number.members)};
    }
    case Type::kWeights:
      return {fmt::format("a table of numbers from {} to {}", kWeightMin, kWeightMax),
              fmt::format(R"("type":"object","additionalProperties":)"
                          R"({{"type":"number","minimum":{},"maximum":{}}})",
                          kWeightMin, kWeightMax)};
    default:
      return form_of_reference(type);
  }
}

std::string definitions() {
  constexpr std::string_view kValue = R"({"$ref":"#/definitions/value"})";
  const std::string parts = fmt::format(R"("items":{},"additionalProperties":{})", kValue, kValue);
  // A dollar begins a reference or is written twice.
  return fmt::format(R"("body":{{"type":["object","array"],{}}},"value":{{"not":{{{}}},{}}})",
                     parts, text_like(R"(^([^$]|\$\$|\$\{[^}]+\})*\$([^{$]|$))"), parts);
}

}  // namespace ringmaster::config
