// Description: a handler's checked description, and the schema of its params.
//
// Processes: parsed by the fork server, before it forks; the workers check params with it.
// Limits:    RINGMASTER_DESCRIPTION_BYTES_MAX, to fit into a control message; kDescriptionDepthMax,
//            so that every JSON reader accepts the OpenRPC document.
// Source:    include/ringmaster/handler.h specifies the format.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "base/json/schema.h"

namespace ringmaster::worker {

inline constexpr size_t kDescriptionDepthMax = 64;

class Description {
 public:
  Description() = default;  // empty: all params are valid

  // Fails with the fault and its place: "/params/0/name: expected ..., found ...".
  static tl::expected<Description, std::string> parse(std::string_view text);

  // As the handler gave it; empty: the handler has none.
  const std::string& text() const { return text_; }

  // Why a request's params (empty: it has none) are invalid, for the client. Nothing: they are
  // valid.
  std::optional<std::string> find_fault(std::string_view params) const {
    return schema_ ? find_mismatch(params) : std::nullopt;
  }

 private:
  std::optional<std::string> find_mismatch(std::string_view params) const;

  std::string text_;
  std::optional<json::Schema> schema_;  // none: all params are valid
  bool is_by_position_ = false;         // params by position only
  std::string positions_;               // "cpu_ms, unit": the params in their order
};

}  // namespace ringmaster::worker
