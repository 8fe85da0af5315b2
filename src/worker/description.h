// Description: what a handler says of itself, checked, and its params' schema.
//
// Processes: parsed by the fork server, before it forks; the workers check params with it.
// Limits:    RINGMASTER_DESCRIPTION_BYTES_MAX, to fit into a control message; kDescriptionDepthMax,
//            so that the document that it becomes part of is one that any reader of JSON takes.
// Source:    include/ringmaster/handler.h says what may stand in one.
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
  Description() = default;  // says nothing: every params fit

  // Otherwise what is wrong with it, and where: "/params/0/name: expected ..., found ...".
  static tl::expected<Description, std::string> parse(std::string_view text);

  // As it was given; empty: it says nothing.
  const std::string& text() const { return text_; }

  // Why a request's params (empty: it has none) do not fit, for whoever sent them. Nothing where
  // they do.
  std::optional<std::string> find_fault(std::string_view params) const {
    return schema_ ? find_mismatch(params) : std::nullopt;
  }

 private:
  std::optional<std::string> find_mismatch(std::string_view params) const;

  std::string text_;
  std::optional<json::Schema> schema_;  // none: whatever they are they fit
  bool is_by_position_ = false;         // and in no other way
  std::string positions_;               // "cpu_ms, unit": the params in their order
};

}  // namespace ringmaster::worker
