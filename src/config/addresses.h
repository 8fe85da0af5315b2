// Checks addresses and URLs as text: resolves and binds nothing.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ringmaster::config {

// Empty when `address` is "HOST:PORT" (an IPv4 address, an IPv6 one in brackets or a host name;
// port 0 to 65535), the same after "tls://", or "unix:PATH" (at most 107 bytes of path: the
// kernel's limit). Otherwise what was expected and found.
std::optional<std::string> find_fault_in_address(std::string_view address);

// Empty when `url` is http:// or https://, a host, and any text after it.
std::optional<std::string> find_fault_in_url(std::string_view url);

}  // namespace ringmaster::config
