// RequestTemplate: the HTTP request of a fetch step, compiled once from the configuration and
// rendered for each request.
//
// Threads: render() from any, also concurrently.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "upstream/template.h"

namespace ringmaster::upstream {

class RequestTemplate {
 public:
  // What is sent. The constant headers are those of constant_headers().
  struct Rendered {
    std::string target;  // path and query, to follow the upstream's URL
    std::string body;
    std::vector<std::string> headers;  // "NAME: VALUE"
  };

  // Each function adds a part. An error: the part's fault, for a person. `json` is valid JSON.
  [[nodiscard]] std::optional<std::string> set_body(std::string_view json, const Scope& scope);
  [[nodiscard]] std::optional<std::string> set_path(std::string_view path, const Scope& scope);
  [[nodiscard]] std::optional<std::string> add_query(std::string_view key, std::string_view value,
                                                     const Scope& scope);
  [[nodiscard]] std::optional<std::string> add_header(std::string_view name, std::string_view value,
                                                      const Scope& scope);
  // The HTTP method; empty: POST with a body, else GET.
  void set_method(std::string_view method) { method_ = method; }

  // Header names are compared without regard to case.
  bool has_header(std::string_view name) const;
  bool has_body() const { return body_.has_value(); }
  bool has_target() const { return path_.has_value() || !query_.empty(); }
  std::string_view method() const;
  // The texts that were compiled. path() and body() are empty where there is none.
  std::string_view path() const { return path_ ? std::string_view(path_->source()) : ""; }
  std::string_view body() const { return body_ ? std::string_view(body_->source()) : ""; }
  using Field = std::pair<std::string, Template>;
  const std::vector<Field>& query() const { return query_; }
  const std::vector<Field>& headers() const { return headers_; }

  const std::vector<Reference>& references() const { return references_; }
  // The dotted paths of those references that name the request's params, in their order.
  const std::vector<std::string>& params_paths() const { return params_paths_; }
  const std::vector<std::string>& constant_headers() const { return constant_headers_; }

  // `values`: of references(), in their order, as JSON texts; empty: missing.
  tl::expected<Rendered, Template::Fault> render(std::span<const std::string_view> values) const;

 private:
  tl::expected<Template, std::string> compile(std::string_view text, Template::Place place,
                                              const Scope& scope);

  std::string method_;
  std::optional<Template> path_;
  std::optional<Template> body_;
  std::vector<Field> query_;    // keys are percent-encoded
  std::vector<Field> headers_;  // constant ones, too
  std::vector<std::string> constant_headers_;
  std::vector<Reference> references_;
  std::vector<std::string> params_paths_;
};

}  // namespace ringmaster::upstream
