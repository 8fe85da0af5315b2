// ProxiedStreams: the connections of proxies until each has sent its ProxyHeader.
//
// Threads: the loop's only.
// Memory:  owns the waiting streams, 2.5 KiB each. Reads no byte beyond the header, so the client's
//          own bytes, a TLS handshake too, are left to the stream's next owner.
// Limits:  a header may take 10 s. A stream whose bytes are no header is closed, and reported.
// Death:   a stream that ends before its first byte is closed without a report: it was a balancer's
//          health check.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <string>

#include "net/listener.h"
#include "net/proxy_header.h"

namespace ringmaster::net {

class ProxiedStreams {
 public:
  // `on_fault`: a proxy's address, and what was wrong.
  explicit ProxiedStreams(std::function<void(const std::string& what)> on_fault)
      : on_fault_(std::move(on_fault)) {}
  ProxiedStreams(const ProxiedStreams&) = delete;
  ProxiedStreams& operator=(const ProxiedStreams&) = delete;

  // Reads the header, then calls on_client with the stream. Its peer is the client by then, or
  // still the proxy: see ProxyHeader::client().
  using OnClient = std::function<void(Stream)>;
  void read_header(Stream stream, uint64_t now_ns, OnClient on_client);
  // Closes the streams whose header has taken too long. Call each tick.
  void close_stalled(uint64_t now_ns);
  void close_all() { waiting_.clear(); }
  size_t size() const { return waiting_.size(); }

 private:
  struct Waiting {
    ProxiedStreams& owner;
    Stream stream;
    uint64_t since_ns;
    OnClient on_client;
    ProxyHeader header = {};
    std::list<Waiting>::iterator place = {};
  };

  void on_read(Waiting& waiting, ssize_t size);
  void refuse(Waiting& waiting, const std::string& why);

  std::function<void(const std::string& what)> on_fault_;
  std::list<Waiting> waiting_;  // oldest first
};

}  // namespace ringmaster::net
