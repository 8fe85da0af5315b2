// mask(): a copy of a text in which nothing is left that RapidJSON refuses though it is JSON.
//
// Lone surrogate escapes become \ufffd and long numbers become 0.000..., each as long as what it
// replaces, so every offset into the copy holds for the text. Only whole, valid tokens are
// replaced, by valid tokens: the copy is JSON exactly if the text is.
#pragma once

#include <string>
#include <string_view>

namespace ringmaster::json {

std::string mask(std::string_view text);

}  // namespace ringmaster::json
