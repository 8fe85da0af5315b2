// The two ends of a socket, as sockaddr and as people write them.
#pragma once

#include <netinet/in.h>
#include <string>

namespace ringmaster::net {

// The socket's own address; AF_UNSPEC: it has none.
sockaddr_storage address_of(int socket);

// Whether only this host can reach the address: a loopback address, a unix socket.
bool is_of_this_host(const sockaddr_storage& address);

// The client's name before it has shown a token or certificate: "10.1.2.3", "fd00:0:0:1::/64" (a
// single client has all addresses of such a range), "uid 1000" of a unix socket, else "?". For a
// unix socket the system is asked for the user of `socket`'s peer.
std::string client_of(const sockaddr_storage& peer, int socket);

// "127.0.0.1:7070", "[::1]:7070", "unix:PATH" ("unix" where it has no path), else "?".
std::string to_text(const sockaddr_storage& address);

}  // namespace ringmaster::net
