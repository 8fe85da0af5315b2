#include "net/listener.h"

#include <cstring>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string_view>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace ringmaster::net {
namespace {

constexpr std::string_view kUnixPrefix = "unix:";

std::string name_of(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return "?";
  if (address.ss_family == AF_UNIX) {
    const auto* path = reinterpret_cast<sockaddr_un*>(&address)->sun_path;
    return fmt::format("unix:{}", path);
  }
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  if (::getnameinfo(reinterpret_cast<sockaddr*>(&address), size, host, sizeof host, port,
                    sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "?";
  }
  return address.ss_family == AF_INET6 ? fmt::format("[{}]:{}", host, port)
                                       : fmt::format("{}:{}", host, port);
}

Result<Fd> open_and_bind(const sockaddr* address, socklen_t size, const std::string& name) {
  Fd socket(::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.is_open()) return fail_errno("socket for " + name, errno);
  const int on = 1;
  if (address->sa_family != AF_UNIX) {
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  }
  if (::bind(socket.get(), address, size) != 0) return fail_errno("listen on " + name, errno);
  return socket;
}

// Whether a unix socket is only a file that a dead server left behind.
bool is_stale(const sockaddr_un& address) {
  struct stat file {};
  if (::lstat(address.sun_path, &file) != 0 || !S_ISSOCK(file.st_mode)) return false;
  Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
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

Stream make_stream(uv_loop_t* loop, bool is_unix) {
  Stream stream(new AnyStream);
  RM_ASSERT((is_unix ? uv_pipe_init(loop, &stream->pipe, 0) : uv_tcp_init(loop, &stream->tcp)) ==
            0);
  return stream;
}

}  // namespace

Listener::Listener(Fd socket, std::string unlink_path)
    : socket_(std::move(socket)),
      address_(name_of(socket_.get())),
      unlink_path_(std::move(unlink_path)) {}

Listener::~Listener() {
  if (!unlink_path_.empty()) ::unlink(unlink_path_.c_str());
}

Result<std::unique_ptr<Listener>> Listener::bind(const Address& address) {
  const bool is_path = address.starts_with(kUnixPrefix);
  const std::string path = is_path ? address.substr(kUnixPrefix.size()) : "";
  Result<Fd> socket = is_path ? bind_unix(path) : bind_tcp(address);
  if (!socket) return tl::unexpected(socket.error());
  return std::unique_ptr<Listener>(new Listener(std::move(*socket), path));
}

std::unique_ptr<Listener> Listener::adopt(Fd socket) {
  return std::unique_ptr<Listener>(new Listener(std::move(socket), ""));
}

bool Listener::is_unix() const {
  return address_.starts_with(kUnixPrefix);
}

Status Listener::listen(uv_loop_t* loop, OnAccept on_accept) {
  on_accept_ = std::move(on_accept);
  handle_ = make_stream(loop, is_unix());
  handle_->stream.data = this;
  int error = is_unix() ? uv_pipe_open(&handle_->pipe, socket_.get())
                        : uv_tcp_open(&handle_->tcp, socket_.get());
  if (error == 0) {
    [[maybe_unused]] const int now_the_handles = socket_.release();
    error = uv_listen(&handle_->stream, SOMAXCONN, [](uv_stream_t* server, int status) {
      if (status == 0) static_cast<Listener*>(server->data)->accept();
    });
  }
  if (error != 0) {
    return fail(ExitCode::kResource, fmt::format("listen on {}: {}", address_, uv_strerror(error)));
  }
  return {};
}

void Listener::accept() {
  Stream stream = make_stream(handle_->stream.loop, is_unix());
  // Fails when the client has gone again: there is nobody to tell.
  if (uv_accept(&handle_->stream, &stream->stream) == 0) on_accept_(std::move(stream));
}

}  // namespace ringmaster::net
