#include "cli/client.h"

#include <cerrno>
#include <cstring>
#include <string_view>
#include <sys/socket.h>

#include "base/connect.h"
#include "base/show_token.h"

namespace ringmaster::cli {
namespace {

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

Result<std::string> ask(const std::string& address, const std::string& token,
                        const std::string& request, uint64_t timeout_ms) {
  const Deadline deadline(timeout_ms);
  const Result<Fd> socket = connect_to(address, deadline);
  if (!socket) return tl::unexpected(socket.error());
  if (!token.empty()) {
    const Status shown = show_token(socket->get(), address, token, deadline);
    if (!shown) return tl::unexpected(shown.error());
  }
  const Status sent = send_all(socket->get(), address, request, deadline);
  if (!sent) return tl::unexpected(sent.error());
  return receive_line(socket->get(), address, deadline);
}

}  // namespace ringmaster::cli
