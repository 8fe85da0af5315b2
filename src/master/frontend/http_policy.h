// The rules for a request of HTTP, by its head: whether it may bring a message, and how.
//
// A page of another site may not: a browser sends JSON across sites only with an Origin, and after
// it has asked (OPTIONS); both are granted to the origins that are configured.
// Pure. Errors: 405 for another method than POST, 415 for another content type than JSON, 403 for
// another origin, 400 for a timeout that is none, 413 for an OPTIONS that has a body. The
// connection is closed after one. An error repeats 100 bytes of a request at most.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rpc/http_reader.h"
#include "rpc/http_response.h"

namespace ringmaster::master {

struct HttpVerdict {
  unsigned status = 200;                    // else it is refused, or (204) only asks
  std::string why = {};                     // of a refusal
  std::optional<uint64_t> timeout_ms = {};  // X-Request-Timeout-Ms
  std::string origin = {};                  // of a page that may call: the answer must say so
  bool must_say_kept = false;               // HTTP/1.0: else the client waits for the end
};

// The first half: may this page call at all? A browser shows no token when it asks that (OPTIONS).
// `origins`: as browsers send them, "https://app.example"; "*" is any.
HttpVerdict judge_page(const rpc::HttpReader& head, const std::vector<std::string>& origins);
// The second half, for a client that may call: is this a request that can be served? REQUIRES: the
// first half's verdict, with the status 200.
HttpVerdict judge_request(const rpc::HttpReader& head, HttpVerdict verdict);

// What stands behind "Authorization: Bearer"; empty: there is no such field.
std::string_view token_of(const rpc::HttpReader& head);

// What the answer to a request with this verdict, which must outlive it, says beside its status.
std::vector<rpc::HttpField> fields_of(const HttpVerdict& verdict);

}  // namespace ringmaster::master
