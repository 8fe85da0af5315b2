// BodyTemplate: the JSON body of a fetch, with values taken from the request.
//
// Compiled once from the configuration, rendered per request: {"user_id": "$params.user_id"} and
// params {"user_id": 42} become {"user_id":42}. The value is copied as the client wrote it.
// Cost:    one pass over the params, however many values are taken from them; none if none are.
// Threads: render() from any at once.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

namespace ringmaster::upstream {

class BodyTemplate {
 public:
  BodyTemplate() = default;  // no body: the fetch is a GET

  // `json` is any JSON value; every string in it (keys excluded) that begins with "$params." stands
  // for that member of the request's params. `json` must be valid.
  explicit BodyTemplate(std::string_view json);

  bool is_empty() const { return literals_.empty(); }

  // The JSON that it was compiled from, without whitespace.
  std::string source() const;

  // The dotted names of the parameters that it takes, in their order.
  const std::vector<std::string>& names() const { return names_; }

  // The body for a request with these params (empty: it has none), or the dotted name of the
  // parameter that is missing.
  tl::expected<std::string, std::string> render(std::string_view params) const;

 private:
  class Compiler;

  // literal, parameter, literal, ..., literal: one more of the first, unless there is no body.
  std::vector<std::string> literals_;
  std::vector<std::string> names_;  // dotted
};

}  // namespace ringmaster::upstream
