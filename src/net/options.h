// Options of the network side. config fills them, defaults included.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ringmaster::net {

// An address to listen at (port 0: the system chooses) or to connect to: "HOST:PORT", with TLS
// "tls://HOST:PORT", or "unix:PATH".
using Address = std::string;
inline constexpr std::string_view kTlsScheme = "tls://";
inline constexpr std::string_view kUnixScheme = "unix:";

inline bool is_tls(const Address& address) {
  return address.starts_with(kTlsScheme);
}
// The part that bind() takes.
inline Address without_tls(const Address& address) {
  return is_tls(address) ? address.substr(kTlsScheme.size()) : address;
}
inline bool is_unix(const Address& address) {
  return without_tls(address).starts_with(kUnixScheme);
}

// Owner, group and mode of a unix socket: which users may connect.
struct UnixAccess {
  static constexpr uint32_t kOwn = UINT32_MAX;  // unchanged: see chown(2)

  std::string owner = {};  // as configured: a name or a number; empty: kOwn
  std::string group = {};
  uint32_t owner_id = kOwn;
  uint32_t group_id = kOwn;
  uint32_t mode = 0660;
};

// The PEM files of TLS addresses.
struct TlsFiles {
  std::string certificate;  // with intermediate certificates, if any
  std::string key;
  std::string client_ca;        // empty: clients need no certificate
  std::string client_crl = {};  // of these CAs; empty: no certificate is revoked

  bool operator==(const TlsFiles&) const = default;
};

// The PEM files of a TLS client, such as `ringmaster call`.
struct ClientTlsFiles {
  std::string ca;           // trusted CAs; empty: the system's
  std::string certificate;  // to show to a server that asks for one; empty: none
  std::string key;

  bool is_empty() const { return ca.empty() && certificate.empty() && key.empty(); }
};

// Limits of one client connection.
struct ConnectionLimits {
  uint64_t message_bytes = 16ull << 20;
  uint64_t send_timeout_ms = 60'000;  // without the client reading a byte of its answers
  uint64_t idle_timeout_ms = 0;       // without a request; 0: for ever
};

}  // namespace ringmaster::net
