// mask(): a copy of a text without the valid JSON that RapidJSON refuses.
//
// Lone surrogate escapes become \ufffd and long numbers become 0.000..., of the same length, so
// offsets into the copy are offsets into the text. Only whole, valid tokens are replaced, by valid
// tokens: the copy is JSON exactly if the text is.
#pragma once

#include <string>
#include <string_view>

namespace ringmaster::json {

std::string mask(std::string_view text);

}  // namespace ringmaster::json
