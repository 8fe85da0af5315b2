// BodyTemplate: the JSON body of a fetch, with values taken from the request.
//
// Compiled once from the configuration, rendered per request: {"user_id": "$params.user_id"} and
// params {"user_id": 42} become {"user_id":42}. The value is copied as the client wrote it.
// Cost:    one pass over the params for any number of values; no pass for none.
// Threads: render() from any, also concurrently.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

namespace ringmaster::upstream {

class BodyTemplate {
 public:
  BodyTemplate() = default;  // no body: the fetch is a GET

  // `json` is any JSON value; each string (not key) in it that begins with "$params." stands for
  // that member of the request's params. REQUIRES: `json` is valid.
  explicit BodyTemplate(std::string_view json);

  bool is_empty() const { return literals_.empty(); }

  // The template's JSON, without whitespace.
  std::string source() const;

  // The dotted names of the template's parameters, in their order.
  const std::vector<std::string>& names() const { return names_; }

  // The body for a request with these params (empty: it has none), or the dotted name of a missing
  // parameter.
  tl::expected<std::string, std::string> render(std::string_view params) const;

 private:
  class Compiler;

  // literal, parameter, literal, ..., literal: one literal more than names, unless there is no
  // body.
  std::vector<std::string> literals_;
  std::vector<std::string> names_;  // dotted
};

}  // namespace ringmaster::upstream
