// BodyTemplate: the JSON body of a fetch, with values taken from the request.
//
// Compiled once from the configuration, rendered per request: {"user_id": "$params.user_id"} and
// params {"user_id": 42} become {"user_id":42}. The value is copied as the client wrote it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tl/expected.hpp"

namespace ringmaster::rpc {

class BodyTemplate {
 public:
  BodyTemplate() = default;  // no body: the fetch is a GET

  // `json` is any JSON value; every string in it (keys excluded) that begins with "$params." stands
  // for that member of the request's params. `json` must be valid.
  explicit BodyTemplate(std::string_view json);

  bool is_empty() const { return pieces_.empty(); }

  // The body for a request with these params, or the dotted name of the parameter that is missing.
  tl::expected<std::string, std::string> render(std::string_view params) const;

 private:
  struct Piece {
    std::string text;  // literal JSON text, or the dotted name of a parameter
    bool is_parameter;
  };
  std::vector<Piece> pieces_;
};

}  // namespace ringmaster::rpc
