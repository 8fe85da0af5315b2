// BodyTemplate: the JSON body of a fetch, with values taken from the request.
//
// Compiled once from the configuration, rendered per request: {"user_id": "$params.user_id"} and
// params {"user_id": 42} become {"user_id":42}. The value is copied as the client wrote it.
// Threads: render() from any, also concurrently.
#pragma once

#include <span>
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

  // The body with these values of the parameters, in the order of names(). An error: the dotted
  // name of a parameter whose value is empty, since the request lacks it.
  tl::expected<std::string, std::string> render(std::span<const std::string_view> values) const;

 private:
  class Compiler;

  // literal, parameter, literal, ..., literal: one literal more than names, unless there is no
  // body.
  std::vector<std::string> literals_;
  std::vector<std::string> names_;  // dotted
};

}  // namespace ringmaster::upstream
