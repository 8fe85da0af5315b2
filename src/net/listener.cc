#include "net/listener.h"

#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string_view>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

#include "base/log.h"

namespace ringmaster::net {
namespace {

// After so many accepts, the loop serves the connected clients.
constexpr int kAcceptsPerWakeUp = 64;

// How long accepting pauses when the system has no descriptor or memory.
constexpr uint64_t kPauseMs = 100;

// TCP keep-alive probes a connection that has been idle for so long.
constexpr unsigned kKeepAliveS = 60;

Result<Fd> open_and_bind(const sockaddr* address, socklen_t size, const std::string& name) {
  Fd socket(::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.is_open()) return fail_errno("socket for " + name, errno);
  const int on = 1;
  if (address->sa_family == AF_UNIX) {
    // The file gets the socket's mode: only we may connect until permit().
    ::fchmod(socket.get(), S_IRUSR | S_IWUSR);
  } else {
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  }
  if (::bind(socket.get(), address, size) != 0) return fail_errno("listen on " + name, errno);
  return socket;
}

// Whether a unix socket is a file that a dead server left behind. Does not block when a live server
// accepts no clients and its backlog is full.
bool is_stale(const sockaddr_un& address) {
  struct stat file {};
  if (::lstat(address.sun_path, &file) != 0 || !S_ISSOCK(file.st_mode)) return false;
  Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
         errno == ECONNREFUSED;
}

Result<Fd> bind_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return fail(ExitCode::kConfig,
                fmt::format("listen on unix:{}: expected a path of 1 to {} bytes", path,
                            sizeof address.sun_path - 1));
  }
  std::memcpy(address.sun_path, path.c_str(), path.size());
  if (is_stale(address)) ::unlink(path.c_str());
  return open_and_bind(reinterpret_cast<sockaddr*>(&address), sizeof address, "unix:" + path);
}

Result<Fd> bind_tcp(const Address& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) {
    return fail(ExitCode::kConfig, fmt::format("listen on {}: expected HOST:PORT", address));
  }
  std::string host = address.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.empty() ? nullptr : host.c_str(),
                                  address.c_str() + colon + 1, &hints, &found);
  if (error != 0) {
    return fail(ExitCode::kResource,
                fmt::format("listen on {}: {}", address, ::gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  return open_and_bind(found->ai_addr, found->ai_addrlen, address);
}

// Errors of accept(2) about one client or its network: that client is gone.
bool is_of_one_client(int error) {
  switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPERM:
    case EPROTO:
    case ENOPROTOOPT:
    case ENETDOWN:
    case ENETUNREACH:
    case ENONET:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
      return true;
    default:
      return false;
  }
}

std::optional<FileId> file_at(const std::string& path) {
  struct stat file {};
  if (::lstat(path.c_str(), &file) != 0) return std::nullopt;
  return FileId{file.st_dev, file.st_ino};
}

// Null if the client is gone already.
Stream open_stream(uv_loop_t* loop, bool is_unix, bool is_short, Fd client) {
  Stream stream(new AnyStream);
  RM_ASSERT((is_unix ? uv_pipe_init(loop, &stream->pipe, 0) : uv_tcp_init(loop, &stream->tcp)) ==
            0);
  const int opened =
      is_unix ? uv_pipe_open(&stream->pipe, client.get()) : uv_tcp_open(&stream->tcp, client.get());
  if (opened != 0) return nullptr;
  [[maybe_unused]] const int now_the_streams = client.release();
  if (!is_unix && !is_short) {
    // No delay: an answer must not wait until the one before was acknowledged. Keep-alive: finds
    // clients whose machine is gone.
    uv_tcp_nodelay(&stream->tcp, 1);
    uv_tcp_keepalive(&stream->tcp, 1, kKeepAliveS);
  }
  return stream;
}

}  // namespace

Listener::Listener(Fd socket, bool is_tls, std::string unlink_path)
    : socket_(std::move(socket)),
      address_(std::string(is_tls ? kTlsScheme : "") + to_text(address_of(socket_.get()))),
      unlink_path_(std::move(unlink_path)) {
  if (!unlink_path_.empty()) file_ = file_at(unlink_path_);
}

Listener::~Listener() {
  if (is_file_ours()) ::unlink(unlink_path_.c_str());
}

bool Listener::is_file_ours() const {
  return file_ && file_at(unlink_path_) == file_;
}

Result<std::unique_ptr<Listener>> Listener::bind(const Address& address,
                                                 const UnixAccess& unix_access) {
  const bool is_path = address.starts_with(kUnixScheme);
  const std::string path = is_path ? address.substr(kUnixScheme.size()) : "";
  Result<Fd> socket = is_path ? bind_unix(path) : bind_tcp(without_tls(address));
  if (!socket) return tl::unexpected(socket.error());
  std::unique_ptr<Listener> listener(new Listener(std::move(*socket), net::is_tls(address), path));
  if (Status permitted = listener->permit(unix_access); !permitted) {
    return tl::unexpected(permitted.error());
  }
  return listener;
}

std::unique_ptr<Listener> Listener::adopt(Fd socket, bool is_tls) {
  return std::unique_ptr<Listener>(new Listener(std::move(socket), is_tls, ""));
}

Status Listener::permit(const UnixAccess& unix_access) const {
  if (unlink_path_.empty()) return {};
  if (!is_file_ours()) {
    return fail(ExitCode::kResource, address_ + " was removed or replaced");
  }
  const char* const path = unlink_path_.c_str();
  // Sets the mode last: until then only the owner, old or new, can connect.
  if (::lchown(path, unix_access.owner_id, unix_access.group_id) != 0) {
    return fail_errno(
        fmt::format("give {} to {}:{}", address_, unix_access.owner, unix_access.group), errno);
  }
  if (::fchmodat(AT_FDCWD, path, unix_access.mode, AT_SYMLINK_NOFOLLOW) != 0) {
    return fail_errno("chmod " + address_, errno);
  }
  return {};
}

Status Listener::listen(uv_loop_t* loop, OnAccept on_accept, AcceptLimits limits) {
  if (::listen(socket_.get(), limits.backlog) != 0)
    return fail_errno("listen on " + address_, errno);
  loop_ = loop;
  on_accept_ = std::move(on_accept);
  limits_ = limits;
  readable_ = make_handle<uv_poll_t>(loop, this, uv_poll_init, socket_.get());
  pause_ = make_handle<uv_timer_t>(loop, this, uv_timer_init);
  wait_for_clients();
  return {};
}

void Listener::wait_for_clients() {
  uv_poll_start(readable_.get(), UV_READABLE, [](uv_poll_t* poll, int, int) {
    static_cast<Listener*>(poll->data)->accept_waiting();
  });
}

void Listener::accept_waiting() {
  // The callback may stop the listener, whose handles are null then.
  for (int i = 0; i < kAcceptsPerWakeUp && readable_ != nullptr && may_accept(); ++i) {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    Fd client(::accept4(socket_.get(), reinterpret_cast<sockaddr*>(&peer), &size,
                        SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client.is_open()) {
      if (errno == EAGAIN) return;
      if (is_of_one_client(errno)) continue;
      return pause(errno);
    }
    if (is_paused_) log(Level::kInfo, "accept_resumed", {{"address", address_}});
    is_paused_ = false;
    ++accepted_;
    if (Stream stream =
            open_stream(loop_, is_unix(address_), limits_.are_short, std::move(client))) {
      stream->peer = peer;
      on_accept_(std::move(stream));
    }
  }
}

// See AcceptLimits. If not, waits for the next window.
bool Listener::may_accept() {
  if (limits_.connections == 0) return true;
  const uint64_t now_ms = uv_now(loop_);
  if (now_ms >= window_end_ms_) {
    window_end_ms_ = now_ms + limits_.window_ms;
    accepted_ = 0;
  }
  if (accepted_ < limits_.connections) return true;
  wait(window_end_ms_ - now_ms);
  return false;
}

void Listener::pause(int error) {
  if (!is_paused_) {
    log(Level::kWarning, "accept_paused",
        {{"address", address_}, {"error", strerrordesc_np(error)}});
  }
  is_paused_ = true;
  wait(kPauseMs);
}

void Listener::wait(uint64_t ms) {
  uv_poll_stop(readable_.get());
  uv_timer_start(
      pause_.get(),
      [](uv_timer_t* timer) { static_cast<Listener*>(timer->data)->wait_for_clients(); }, ms, 0);
}

}  // namespace ringmaster::net
