// AccessControl: which clients may call, and how many were refused or closed.
//
// Pure: no I/O; time is an argument.
// Memory: counters only, and for each kind of refusal the last client's name.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/options.h"
#include "net/cidr.h"

namespace ringmaster::master {

// Why a client was refused, closed or delayed.
enum class Refusal : uint8_t {
  kAddress,
  kProxyHeader,  // a peer whose address is in listen.proxy_from sent no valid header
  kTls,
  kToken,
  kConnections,           // limits.connections is reached, and no connection is idle
  kConnectionsPerClient,  // listen.connections_per_client
  kMadeRoom,              // closed: idle, and a new connection needed its place
  kMemory,                // closed to free memory: limits.connection_memory_bytes was reached
  kDelayedHandshake,      // not refused: its TLS handshake waits, see HandshakeQuota
  kDelayedRefusal,        // its refusal is sent later, see RefusalQuota
};
inline constexpr size_t kRefusals = 10;

class AccessControl {
 public:
  // Applies to clients that connect from now on.
  void set_rules(std::vector<net::Cidr> allow, std::vector<Token> tokens) {
    allow_ = std::move(allow);
    tokens_ = std::move(tokens);
  }

  // Whether rules restrict client addresses; if so, whether they let this client in.
  bool asks_for_address() const { return !allow_.empty(); }
  bool lets_in(const sockaddr_storage& client) const;

  // Whether a client must have a token; if so, the name of the client with this token. Empty: the
  // token is unknown.
  bool asks_for_token() const { return !tokens_.empty(); }
  std::string client_with(std::string_view token) const;

  void count(Refusal why, std::string whom);

  // The refusals to log: at most one report a second for each kind.
  struct Report {
    std::string_view event;  // of the log
    std::string_view why;    // one word
    uint64_t count;          // since the last report
    uint64_t total;
    std::string whom;  // the last client
  };
  std::vector<Report> take_reports(uint64_t now_ns);

 private:
  struct Tally {
    uint64_t total = 0;
    uint64_t reported = 0;
    std::optional<uint64_t> reported_ns;
    std::string whom;
  };

  std::vector<net::Cidr> allow_;
  std::vector<Token> tokens_;
  std::array<Tally, kRefusals> tallies_;
};

// The token in the params of rpc.auth: {"token": "..."} or ["..."]. Empty: there is none.
std::string token_of(std::string_view params);

}  // namespace ringmaster::master
