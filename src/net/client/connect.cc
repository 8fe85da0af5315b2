#include "net/client/connect.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <memory>
#include <netdb.h>
#include <string_view>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/clock.h"
#include "net/options.h"

namespace ringmaster {
namespace {

tl::unexpected<Error> fail_connect(const std::string& address, std::string_view reason) {
  return fail(ExitCode::kResource, fmt::format("cannot connect to {}: {}", address, reason));
}

Result<Fd> open_and_connect(const std::string& address, int family, const sockaddr* where,
                            socklen_t size, const Deadline& deadline) {
  Fd socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return fail_connect(address, std::strerror(errno));
  if (!deadline.apply(socket.get())) return deadline.passed(address);
  if (::connect(socket.get(), where, size) == 0) return socket;
  if (errno == EINPROGRESS) return deadline.passed(address);
  return fail_connect(address, std::strerror(errno));
}

Result<Fd> connect_unix(const std::string& address, const Deadline& deadline) {
  const std::string path = address.substr(net::kUnixScheme.size());
  sockaddr_un where{};
  where.sun_family = AF_UNIX;
  if (path.size() >= sizeof where.sun_path) return fail_connect(address, "the path is too long");
  std::memcpy(where.sun_path, path.data(), path.size());
  return open_and_connect(address, AF_UNIX, reinterpret_cast<const sockaddr*>(&where), sizeof where,
                          deadline);
}

Result<Fd> connect_tcp(const std::string& address, const Deadline& deadline) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return fail_connect(address, "expected HOST:PORT");
  std::string host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* first = nullptr;
  const int error = ::getaddrinfo(host.c_str(), address.c_str() + colon + 1, &hints, &first);
  if (error != 0) return fail_connect(address, ::gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> all(first, &::freeaddrinfo);
  Result<Fd> socket = fail_connect(address, "the name has no address");
  for (const addrinfo* one = first; one != nullptr && !socket; one = one->ai_next) {
    socket = open_and_connect(address, one->ai_family, one->ai_addr, one->ai_addrlen, deadline);
  }
  return socket;
}

}  // namespace

Deadline::Deadline(uint64_t timeout_ms)
    : timeout_ms_(timeout_ms), end_ns_(now_ns() + timeout_ms * kNsPerMs) {}

bool Deadline::apply(int fd) const {
  const uint64_t now = now_ns();
  if (now >= end_ns_) return false;
  // At least 1 us: 0 means no timeout.
  const uint64_t left_us = std::max<uint64_t>((end_ns_ - now) / 1000, 1);
  timeval left{};
  left.tv_sec = static_cast<time_t>(left_us / 1'000'000);
  left.tv_usec = static_cast<suseconds_t>(left_us % 1'000'000);
  return ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &left, sizeof left) == 0 &&
         ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &left, sizeof left) == 0;
}

tl::unexpected<Error> Deadline::passed(const std::string& address) const {
  return fail(ExitCode::kResource,
              fmt::format("no answer from {} within {} ms", address, timeout_ms_));
}

Result<Fd> connect_to(const std::string& address, const Deadline& deadline) {
  return address.starts_with(net::kUnixScheme) ? connect_unix(address, deadline)
                                               : connect_tcp(address, deadline);
}

}  // namespace ringmaster
