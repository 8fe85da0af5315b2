#include "net/socket_name.h"

#include <algorithm>
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "net/cidr.h"

namespace ringmaster::net {

sockaddr_storage address_of(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
  return address;
}

bool is_of_this_host(const sockaddr_storage& address) {
  static const Cidr v4 = *Cidr::parse("127.0.0.0/8");
  static const Cidr v6 = *Cidr::parse("::1");
  return address.ss_family == AF_UNIX || v4.contains(address) || v6.contains(address);
}

std::string client_of(const sockaddr_storage& peer, int socket) {
  char text[INET6_ADDRSTRLEN] = "?";
  if (peer.ss_family == AF_UNIX) {
    ucred user{};
    socklen_t size = sizeof user;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &user, &size) != 0) return text;
    return fmt::format("uid {}", user.uid);
  }
  if (peer.ss_family == AF_INET) {
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(peer).sin_addr, text, sizeof text);
    return text;
  }
  if (peer.ss_family != AF_INET6) return text;
  in6_addr v6 = reinterpret_cast<const sockaddr_in6&>(peer).sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&v6)) {
    ::inet_ntop(AF_INET, v6.s6_addr + 12, text, sizeof text);
    return text;
  }
  std::fill(v6.s6_addr + 8, v6.s6_addr + sizeof v6.s6_addr, uint8_t{0});
  ::inet_ntop(AF_INET6, &v6, text, sizeof text);
  return fmt::format("{}/64", text);
}

std::string to_text(const sockaddr_storage& address) {
  if (address.ss_family == AF_UNIX) {
    const char* const path = reinterpret_cast<const sockaddr_un&>(address).sun_path;
    return *path == '\0' ? "unix" : fmt::format("unix:{}", path);
  }
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  const bool is_v6 = address.ss_family == AF_INET6;
  const socklen_t size = is_v6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  if (::getnameinfo(reinterpret_cast<const sockaddr*>(&address), size, host, sizeof host, port,
                    sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "?";
  }
  return is_v6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

}  // namespace ringmaster::net
