// Description: a handler's checked description, and the schemas of its params.
//
// Each parameter is checked by its own schema. A value is not read if its first character satisfies
// its schema: the schema has no constraints, or declares only the type of an object or array.
// Members that are no parameters are not read either. Values that are not read are JSON, too: the
// master has checked the whole message (rpc/json_rpc), and `ringmaster run` its params
// (cli/params).
//
// Processes: parsed by the fork server, before it forks; the workers check params with it.
// Limits:    RINGMASTER_DESCRIPTION_BYTES_MAX, to fit into a control message; kDescriptionDepthMax,
//            so that every JSON reader accepts the OpenRPC document.
// Source:    include/ringmaster/handler.h specifies the format.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "base/json/parts.h"
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
  // valid. `filled`: the names of the steps before; the output of each stands for the parameter of
  // its name, so `params` may omit this one. REQUIRES: json::scan() accepts `params`.
  std::optional<std::string> find_fault(std::string_view params,
                                        std::span<const std::string> filled = {}) const {
    return params_.empty() ? std::nullopt : find_mismatch(params, filled);
  }

 private:
  struct Param {
    std::string name;
    json::Schema schema;
    bool is_required;
  };

  using Names = std::span<const std::string>;
  std::optional<std::string> find_mismatch(std::string_view params, Names filled) const;
  std::optional<std::string> find_mismatch_by_name(json::Parts& members, Names filled) const;
  std::optional<std::string> find_mismatch_by_position(json::Parts& elements, Names filled) const;

  std::string text_;
  std::vector<Param> params_;   // none: all params are valid
  bool is_by_name_ = true;      // params may be an object
  bool is_by_position_ = true;  // params may be an array
};

}  // namespace ringmaster::worker
