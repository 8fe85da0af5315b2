// is_http_host(): whether a Host field is valid (RFC 9112 3.2, RFC 3986 3.2.2).
//
// A server must answer an invalid one with 400: two servers in a chain that read it differently
// could disagree about a request's target.
// Pure.
#pragma once

#include <string_view>

namespace ringmaster::rpc {

// A name, which may be empty, an IPv4 address, or an IPv6 address in brackets; then optionally ":"
// and a port, which may be empty. Checks only the characters, not whether the host exists.
bool is_http_host(std::string_view field);

}  // namespace ringmaster::rpc
