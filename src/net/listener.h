// Listener: a bound address that later accepts connections.
//
// Binding and listening are two steps, so that an address in use fails the start early, and no
// client is accepted before the workers can serve.
// Memory: the callback owns each accepted stream.
// Limits: the backlog is the system's (net.core.somaxconn), or that of AcceptLimits. When the
//         system has no descriptor or no memory for another connection, accepting pauses for 100
//         ms, and clients wait in the backlog; libuv's uv_listen() would close their connections.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <utility>

#include "base/fd.h"
#include "base/status.h"
#include "base/uv_handle.h"
#include "net/options.h"
#include "net/socket_name.h"

namespace ringmaster::net {

// A TCP or unix stream, in one type, and its client's address.
struct AnyStream {
  union {
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  };
  sockaddr_storage peer{};
};
using Stream = UvHandle<AnyStream>;

inline int fd_of(const AnyStream& stream) {
  uv_os_fd_t fd = -1;
  uv_fileno(reinterpret_cast<const uv_handle_t*>(&stream), &fd);
  return fd;
}

// The device and inode of a file, which identify it even when its name is replaced.
using FileId = std::pair<uint64_t, uint64_t>;

// For an address whose clients must not take much of the server's time.
struct AcceptLimits {
  // At most so many connections are accepted in each window of time; further clients wait in the
  // backlog. 0: no such limit.
  uint32_t connections = 0;
  uint64_t window_ms = 0;
  int backlog = SOMAXCONN;
  // The connections end within seconds, each after one answer: so they get neither keep-alive nor
  // no-delay, which would take a third of the system calls of a connection.
  bool are_short = false;
};

class Listener {
 public:
  // Binds "HOST:PORT", "[V6]:PORT" (either after "tls://") or "unix:PATH". Replaces a stale unix
  // socket, one without a server. At no time may more users connect to the new socket than
  // `unix_access` says. An error (71, or 78 for an invalid address) names the address.
  [[nodiscard]] static Result<std::unique_ptr<Listener>> bind(const Address& address,
                                                              const UnixAccess& unix_access = {});
  // Takes a socket that the service manager has bound: the server neither unlinks it nor shuts it
  // down.
  [[nodiscard]] static std::unique_ptr<Listener> adopt(Fd socket, bool is_tls = false);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // The address as a client writes it, with the port that the system chose.
  const std::string& address() const { return address_; }
  bool is_of_this_host() const { return net::is_of_this_host(address_of(socket_.get())); }
  bool is_tls() const { return net::is_tls(address_); }

  // Sets owner and mode of a unix socket that bind() made. Fails (71), also if another file has its
  // name by now.
  [[nodiscard]] Status permit(const UnixAccess& unix_access) const;

  using OnAccept = std::function<void(Stream)>;
  [[nodiscard]] Status listen(uv_loop_t* loop, OnAccept on_accept, AcceptLimits limits = {});

 private:
  Listener(Fd socket, bool is_tls, std::string unlink_path);
  bool is_file_ours() const;
  void wait_for_clients();
  void accept_waiting();
  bool may_accept();
  void pause(int error);
  void wait(uint64_t ms);

  Fd socket_;
  std::string address_;
  std::string unlink_path_;
  std::optional<FileId> file_;  // the unix socket that bind() made
  uv_loop_t* loop_ = nullptr;
  UvHandle<uv_poll_t> readable_;
  UvHandle<uv_timer_t> pause_;
  bool is_paused_ = false;
  OnAccept on_accept_;
  AcceptLimits limits_;
  uint64_t window_end_ms_ = 0;  // by the loop's clock
  uint32_t accepted_ = 0;       // in this window
};

}  // namespace ringmaster::net
