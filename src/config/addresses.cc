#include "config/addresses.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cctype>
#include <fmt/format.h>
#include <sys/un.h>

#include "base/ascii.h"
#include "config/value.h"
#include "net/options.h"

namespace ringmaster::config {
namespace {

constexpr size_t kUnixPathMax = sizeof(sockaddr_un{}.sun_path) - 1;

bool is_port(std::string_view text) {
  return to_number<uint16_t>(text).has_value();
}

bool is_ip(int family, std::string_view host) {
  in6_addr parsed{};
  return ::inet_pton(family, std::string(host).c_str(), &parsed) == 1;
}

bool is_host(std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']')) {
    return is_ip(AF_INET6, host.substr(1, host.size() - 2));
  }
  // Digits and dots are an IPv4 address: "127.0.0.256" is not a host name.
  if (host.find_first_not_of("0123456789.") == std::string_view::npos) return is_ip(AF_INET, host);
  return std::all_of(host.begin(), host.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '.' || c == '-' || c == '_';
  });
}

}  // namespace

std::optional<std::string> find_fault_in_address(std::string_view address) {
  if (address.starts_with(net::kUnixScheme)) {
    const std::string_view path = address.substr(net::kUnixScheme.size());
    if (path.empty()) return "expected a path after \"unix:\", found none";
    if (path.size() <= kUnixPathMax) return std::nullopt;
    return fmt::format("the path of a unix socket can have {} bytes at most, found {}",
                       kUnixPathMax, path.size());
  }
  std::string_view pair = address;
  if (pair.starts_with(net::kTlsScheme)) pair.remove_prefix(net::kTlsScheme.size());
  const size_t colon = pair.rfind(':');
  const bool is_pair = colon != std::string_view::npos && colon > 0;
  if (!is_pair || !is_host(pair.substr(0, colon))) {
    return fmt::format(
        "expected \"HOST:PORT\" (IPv6 as \"[::1]:7070\"), \"tls://HOST:PORT\" or "
        "\"unix:PATH\", found {}",
        quote_string(address));
  }
  if (is_port(pair.substr(colon + 1))) return std::nullopt;
  return fmt::format("expected a port from 0 to 65535 after the colon, found {}",
                     quote_string(address));
}

std::optional<std::string> find_fault_in_url(std::string_view url) {
  std::string_view rest = url;
  if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
  } else {
    return fmt::format("expected a URL that begins with http:// or https://, found {}",
                       quote_string(url));
  }
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  const bool has_blank =
      std::any_of(url.begin(), url.end(), [](unsigned char c) { return c <= ' ' || c == 0x7f; });
  const size_t at = authority.rfind('@') + 1;  // npos + 1 is 0: no credentials
  const std::string_view host_port = authority.substr(at);
  if (host_port.empty() || host_port.front() == ':' || has_blank) {
    return fmt::format("expected a host and no blanks after the scheme, found {}",
                       quote_string(url));
  }
  const size_t colon = host_port.rfind(':');
  const size_t bracket = host_port.rfind(']');
  const bool has_port =
      colon != std::string_view::npos && (bracket == std::string_view::npos || bracket < colon);
  if (has_port && !is_port(host_port.substr(colon + 1))) {
    return fmt::format("expected a port from 0 to 65535, found {}", quote_string(url));
  }
  return std::nullopt;
}

}  // namespace ringmaster::config
