// Is this an address to listen on, a URL to fetch from? Text only: nothing is resolved or bound.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ringmaster::config {

// Empty when `address` is "HOST:PORT" (an IPv4 address, an IPv6 one in brackets or a host name;
// port 0 to 65535), the same after "tls://", or "unix:PATH" (at most 107 bytes of path: a limit of
// the kernel's); otherwise what was expected and found.
std::optional<std::string> find_fault_in_address(std::string_view address);

// Empty when `url` is http:// or https://, a host, and what one likes after it.
std::optional<std::string> find_fault_in_url(std::string_view url);

}  // namespace ringmaster::config
