// Makes and renders RequestTemplates for tests.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "base/json/scan.h"
#include "upstream/request_template.h"

namespace ringmaster::test {

inline const std::map<std::string, std::string> kSecrets = {{"key", "s3cret \"quoted\""}};
inline const std::vector<std::string> kSteps = {"users", "prices.eu", ""};
inline const upstream::Scope kScope{kSteps, &kSecrets};

inline upstream::RequestTemplate with_body(std::string_view json) {
  upstream::RequestTemplate request;
  const auto fault = request.set_body(json, kScope);
  RM_ASSERT(!fault);
  return request;
}

// Renders with the values of `params`; values of other sources are missing.
inline tl::expected<upstream::RequestTemplate::Rendered, upstream::Template::Fault> render(
    const upstream::RequestTemplate& request, std::string_view params) {
  const std::vector<std::string> paths = request.params_paths();
  std::vector<std::string_view> found(paths.size());
  json::find_members(params, paths, found);
  std::vector<std::string_view> values;
  size_t next = 0;
  for (const upstream::Reference& reference : request.references()) {
    const bool is_param = reference.source == upstream::Reference::Source::kParams;
    values.push_back(is_param ? found[next++] : std::string_view());
  }
  return request.render(values);
}

}  // namespace ringmaster::test
