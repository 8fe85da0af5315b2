// is_http_host(): whether a Host field names a host, as RFC 9112 3.2 and RFC 3986 3.2.2 have it.
//
// A server must answer an invalid one with 400: two servers in a chain that read it differently
// could be made to disagree about whom a request is for.
// Pure.
#pragma once

#include <string_view>

namespace ringmaster::rpc {

// A name, which may be empty, an IPv4 address, or an IPv6 address in brackets; then, or not, ":"
// and a port, which may be empty. Only the characters are looked at, not whether the host exists.
bool is_http_host(std::string_view field);

}  // namespace ringmaster::rpc
