// key_of: equal for requests that differ at most in what the server itself adds: X-Request-Id,
// X-Request-Timeout-Ms and traceparent.
//
// The key is made of the HTTP method, the target, the body and all headers of the configuration. So
// requests that differ by client through a template, such as a token in a header, have different
// keys.
#pragma once

#include "base/keyed_hash.h"
#include "upstream/http_client.h"

namespace ringmaster::upstream {

KeyedHash key_of(const HttpClient::Request& request);

}  // namespace ringmaster::upstream
