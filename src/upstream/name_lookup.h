// NameLookup: the IP addresses of an upstream's host name, looked up at once, and again kPauseNs
// after the end of each lookup. AddressHistory decides which of those that were found before count,
// too.
//
// Threads:  the loop's only. Each lookup runs in a thread of its own, as those of libcurl do:
//           getaddrinfo(3) can take half a minute if no DNS server answers. Neither the loop, nor
//           libuv's pool, nor the end of the server waits for it.
// Failures: the former addresses stay in use. The first one of several failures for the same cause
//           is logged, and so is the next success.
// Limits:   only addresses of one family are used, that of the first address that getaddrinfo(3)
//           returns: most servers with an IPv4 and an IPv6 address would count twice otherwise.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "base/uv_handle.h"
#include "upstream/address_history.h"

struct sockaddr;

namespace ringmaster::upstream {

// The host of a URL, if it is a name. Empty: it is an IP address, or the URL has no host.
std::string host_name_of(const std::string& url);

// The IP address without its port. A link-local one has its interface: "fe80::1%2".
std::string ip_text(const sockaddr* address);

class NameLookup {
 public:
  // As Envoy does by default. getaddrinfo(3) does not tell for how long an answer is valid.
  static constexpr uint64_t kPauseNs = 5 * kNsPerS;
  // The most descriptors that one uses: its own, and those of getaddrinfo(3).
  static constexpr uint64_t kDescriptors = 4;

  // The addresses: at least one, sorted, none twice.
  using OnFound = std::function<void(const std::vector<std::string>& addresses)>;

  // `upstream`: for the log. Fails (71) if there is no descriptor left.
  [[nodiscard]] static Result<std::unique_ptr<NameLookup>> create(uv_loop_t* loop,
                                                                  std::string upstream,
                                                                  std::string host,
                                                                  OnFound on_found);

 private:
  // What the loop and the thread of a lookup share. The one that ends last frees it.
  struct Desk;

  NameLookup(uv_loop_t* loop, std::string upstream, std::shared_ptr<Desk> desk, OnFound on_found);
  void look_up();
  void on_ended();

  const std::string upstream_;
  const std::shared_ptr<Desk> desk_;
  const OnFound on_found_;
  AddressHistory history_;
  std::string fault_;           // of the last lookup; empty: it has succeeded
  UvHandle<uv_poll_t> poll_;    // for the end of a lookup
  UvHandle<uv_timer_t> timer_;  // for the next lookup
};

}  // namespace ringmaster::upstream
