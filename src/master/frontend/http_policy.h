// The rules for an HTTP request's head: whether the request is served, and with which options.
//
// A page of another site may call only if its origin is configured: a browser sends JSON across
// sites only with an Origin, and after an OPTIONS request. Both are refused for other origins.
// Pure. Errors: 405 for another method than POST, 415 for another content type than JSON, 403 for
// another origin, 400 for an invalid timeout, 413 for an OPTIONS with a body. An error closes the
// connection, and quotes 100 bytes of a request at most.
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
  unsigned status = 200;                    // 204: an OPTIONS request; any other: refused
  std::string why = {};                     // of a refusal
  std::optional<uint64_t> timeout_ms = {};  // X-Request-Timeout-Ms
  std::string traceparent = {};             // empty: none, or no valid one
  std::string origin = {};                  // of a page that may call: the response must name it
  bool must_say_kept = false;               // HTTP/1.0: the response must say keep-alive
};

// The first half: may this page call? The token is not checked: a browser's OPTIONS carries none.
// `origins`: as browsers send them, "https://app.example"; "*" is any.
HttpVerdict judge_page(const rpc::HttpReader& head, const std::vector<std::string>& origins);
// The second half: is this a valid request? REQUIRES: the first half's verdict, with status 200.
HttpVerdict judge_request(const rpc::HttpReader& head, HttpVerdict verdict);

// The token of "Authorization: Bearer"; empty: there is none.
std::string_view token_of(const rpc::HttpReader& head);

// The response's header fields for this verdict. The verdict must outlive the fields.
std::vector<rpc::HttpField> fields_of(const HttpVerdict& verdict);

}  // namespace ringmaster::master
