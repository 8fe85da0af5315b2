// Listener: a bound address, and later the connections that come in on it.
//
// Binding and listening are two steps, so that an address in use is known before anything else is
// started, and nobody is let in before the workers can serve.
// Memory: the callback owns each accepted stream.
// Limits: the backlog is the system's (net.core.somaxconn). When the system has no descriptor or no
//         memory for another connection, accepting pauses: clients wait in the backlog, and it is
//         tried again after a moment. libuv's own listening would close their connections.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/fd.h"
#include "base/status.h"
#include "base/uv_handle.h"
#include "net/options.h"
#include "net/socket_name.h"

namespace ringmaster::net {

// A stream of either kind: one type, so that whoever owns it need not know which.
union AnyStream {
  uv_stream_t stream;
  uv_tcp_t tcp;
  uv_pipe_t pipe;
};
using Stream = UvHandle<AnyStream>;

inline int fd_of(const AnyStream& stream) {
  uv_os_fd_t fd = -1;
  uv_fileno(reinterpret_cast<const uv_handle_t*>(&stream), &fd);
  return fd;
}

// The device and the number of a file: what is left of it when others have its name.
using FileId = std::pair<uint64_t, uint64_t>;

class Listener {
 public:
  // Binds "HOST:PORT", "[V6]:PORT" (either after "tls://") or "unix:PATH". A stale unix socket, one
  // that nobody answers on, is replaced; a new one is never open to more than `unix_access` says.
  // Fails (71) naming the address.
  [[nodiscard]] static Result<std::unique_ptr<Listener>> bind(const Address& address,
                                                              const UnixAccess& unix_access = {});
  // Takes a socket that the service manager has bound: neither unlinked nor shut down by us.
  [[nodiscard]] static std::unique_ptr<Listener> adopt(Fd socket, bool is_tls = false);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // As a client would write it, with the port that the system chose.
  const std::string& address() const { return address_; }
  bool is_of_this_host() const { return net::is_of_this_host(address_of(socket_.get())); }
  bool is_tls() const { return net::is_tls(address_); }

  // Who may connect from now on, where it is a unix socket that we have bound. Fails (71), also
  // where another file has its name by now.
  [[nodiscard]] Status permit(const UnixAccess& unix_access) const;

  using OnAccept = std::function<void(Stream)>;
  [[nodiscard]] Status listen(uv_loop_t* loop, OnAccept on_accept);

 private:
  Listener(Fd socket, bool is_tls, std::string unlink_path);
  bool is_file_ours() const;
  void wait_for_clients();
  void accept_waiting();
  void pause(int error);

  Fd socket_;
  std::string address_;
  std::string unlink_path_;
  std::optional<FileId> file_;  // that we have made there
  uv_loop_t* loop_ = nullptr;
  UvHandle<uv_poll_t> readable_;
  UvHandle<uv_timer_t> pause_;
  bool is_paused_ = false;
  OnAccept on_accept_;
};

}  // namespace ringmaster::net
