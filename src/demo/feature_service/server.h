// Server: the listening socket, the sessions and the signals, on its own libuv loop.
//
// Threads: only the caller's. Owns every session.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <uv.h>

#include "base/status.h"
#include "base/uv_handle.h"
#include "demo/feature_service/service.h"
#include "demo/feature_service/session.h"
#include "net/listener.h"

namespace ringmaster::feature_service {

class Server {
 public:
  Server(Service& service, uint64_t drip_ms);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // "HOST:PORT"; port 0: the system chooses. Fails (71) when the address cannot be bound.
  [[nodiscard]] Status listen(const net::Address& address);

  // The address as bound, with the port that the system chose.
  const std::string& address() const { return listener_->address(); }

  // Serves until SIGTERM or SIGINT, then closes every connection and returns.
  void run();

 private:
  UvHandle<uv_signal_t> on_signal(int signal);
  void accept(net::Stream stream);
  void stop();

  Service& service_;
  const uint64_t drip_ms_;
  uv_loop_t loop_{};
  UvHandle<uv_signal_t> terminate_;
  UvHandle<uv_signal_t> interrupt_;
  std::unique_ptr<net::Listener> listener_;
  std::unordered_map<const Session*, std::unique_ptr<Session>> sessions_;
};

}  // namespace ringmaster::feature_service
