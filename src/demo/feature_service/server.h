// Server: the listening socket, the connections and the signals, on its own libuv loop.
//
// Threads: only the caller's. Owns every connection.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <uv.h>

#include "base/status.h"
#include "demo/feature_service/connection.h"
#include "demo/feature_service/service.h"

namespace ringmaster::feature_service {

class Server {
 public:
  Server(Service& service, uint64_t drip_ms);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Fails (71) when the address cannot be bound. Port 0: the system chooses.
  [[nodiscard]] Status listen(const std::string& host, uint16_t port);

  // HOST:PORT as bound, an IPv6 host in brackets.
  const std::string& address() const { return address_; }

  // Serves until SIGTERM or SIGINT, then closes every connection and returns.
  void run();

 private:
  void accept();
  void stop();

  Service& service_;
  const uint64_t drip_ms_;
  std::string address_;
  bool is_stopping_ = false;
  uv_loop_t loop_{};
  uv_tcp_t listener_{};
  uv_signal_t terminate_{};
  uv_signal_t interrupt_{};
  std::unordered_map<const Connection*, std::unique_ptr<Connection>> connections_;
};

}  // namespace ringmaster::feature_service
