#include "cli/client.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <memory>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/fd.h"

namespace ringmaster::cli {
namespace {

// The deadline of a whole exchange, applied to each call on its socket.
class Deadline {
 public:
  explicit Deadline(uint64_t timeout_ms)
      : timeout_ms_(timeout_ms), end_ns_(now_ns() + timeout_ms * kNsPerMs) {}

  // Lets the next call on `fd` block for what remains; false when nothing does.
  bool apply(int fd) const {
    const uint64_t now = now_ns();
    if (now >= end_ns_) return false;
    // At least 1 us: zero would mean for ever.
    const uint64_t left_us = std::max<uint64_t>((end_ns_ - now) / 1000, 1);
    timeval left{};
    left.tv_sec = static_cast<time_t>(left_us / 1'000'000);
    left.tv_usec = static_cast<suseconds_t>(left_us % 1'000'000);
    return ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &left, sizeof left) == 0 &&
           ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &left, sizeof left) == 0;
  }

  tl::unexpected<Error> passed(const std::string& address) const {
    return fail(ExitCode::kResource,
                fmt::format("no answer from {} within {} ms", address, timeout_ms_));
  }

 private:
  uint64_t timeout_ms_;
  uint64_t end_ns_;
};

tl::unexpected<Error> fail_connect(const std::string& address, std::string_view reason) {
  return fail(ExitCode::kResource, fmt::format("cannot connect to {}: {}", address, reason));
}

Result<Fd> connect_to(const std::string& address, int family, const sockaddr* where, socklen_t size,
                      const Deadline& deadline) {
  Fd socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return fail_connect(address, std::strerror(errno));
  if (!deadline.apply(socket.get())) return deadline.passed(address);
  if (::connect(socket.get(), where, size) == 0) return socket;
  if (errno == EINPROGRESS) return deadline.passed(address);
  return fail_connect(address, std::strerror(errno));
}

Result<Fd> connect_unix(const std::string& address, const Deadline& deadline) {
  const std::string path = address.substr(std::strlen("unix:"));
  sockaddr_un where{};
  where.sun_family = AF_UNIX;
  if (path.size() >= sizeof where.sun_path) return fail_connect(address, "the path is too long");
  std::memcpy(where.sun_path, path.data(), path.size());
  return connect_to(address, AF_UNIX, reinterpret_cast<const sockaddr*>(&where), sizeof where,
                    deadline);
}

Result<Fd> connect_tcp(const std::string& address, const Deadline& deadline) {
  const size_t colon = address.rfind(':');
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
    socket = connect_to(address, one->ai_family, one->ai_addr, one->ai_addrlen, deadline);
  }
  return socket;
}

Status send_all(int fd, const std::string& address, std::string_view bytes,
                const Deadline& deadline) {
  while (!bytes.empty()) {
    if (!deadline.apply(fd)) return deadline.passed(address);
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    // A server that has stopped reading may have said why: its answer is read all the same.
    if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) return {};
    if (sent < 0 && errno == EAGAIN) return deadline.passed(address);
    if (sent < 0 && errno != EINTR) return fail_errno("send to " + address, errno);
    if (sent > 0) bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return {};
}

Result<std::string> receive_line(int fd, const std::string& address, const Deadline& deadline) {
  std::string line;
  std::string chunk(64 * 1024, '\0');
  while (true) {
    if (!deadline.apply(fd)) return deadline.passed(address);
    const ssize_t got = ::recv(fd, chunk.data(), chunk.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return deadline.passed(address);
    if (got <= 0) {
      const std::string reason = got < 0 ? std::string(": ") + std::strerror(errno) : "";
      return fail(ExitCode::kResource,
                  address + " closed the connection without an answer" + reason);
    }
    const std::string_view bytes(chunk.data(), static_cast<size_t>(got));
    const size_t end = bytes.find('\n');
    line += bytes.substr(0, end);
    if (end != std::string_view::npos) return line;
  }
}

}  // namespace

Result<std::string> ask(const std::string& address, const std::string& request,
                        uint64_t timeout_ms) {
  const Deadline deadline(timeout_ms);
  const Result<Fd> socket = address.starts_with("unix:") ? connect_unix(address, deadline)
                                                         : connect_tcp(address, deadline);
  if (!socket) return tl::unexpected(socket.error());
  const Status sent = send_all(socket->get(), address, request, deadline);
  if (!sent) return tl::unexpected(sent.error());
  return receive_line(socket->get(), address, deadline);
}

}  // namespace ringmaster::cli
