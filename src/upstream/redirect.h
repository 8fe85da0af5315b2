// read_redirect(): where a response with a status of 3xx sends a fetch, if that is within the
// upstream's origin. Else the upstream could have headers with secrets sent anywhere.
//
// Pure: no I/O.
#pragma once

#include <string>
#include <string_view>

#include <tl/expected.hpp>

namespace ringmaster::upstream {

// Whether a response with this status and a Location is a redirect.
bool is_redirect(long status);

struct Redirect {
  std::string url;  // begins with the origin of the URL that was asked
  bool is_get;      // a GET without a body follows, whatever was asked before
};

// `from`: the absolute URL that was asked; `to`: that of the Location. 307 and 308 keep method and
// body, and 303 asks for a GET. 301 and 302 keep both, too, but are not followed after a POST: some
// clients would send a GET then, which loses the body, and others a POST. An error: why the
// redirect is not followed, for a person.
tl::expected<Redirect, std::string> read_redirect(std::string_view from, const std::string& to,
                                                  long status, std::string_view method);

}  // namespace ringmaster::upstream
