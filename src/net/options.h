// What the network side can be told. Filled by config, defaults included.
#pragma once

#include <cstdint>
#include <string>

namespace ringmaster::net {

// Where to listen: "HOST:PORT" (port 0: the system chooses) or "unix:PATH".
using Address = std::string;

// An HTTP service that fetch steps call: [features.NAME].
struct UpstreamOptions {
  std::string name;
  std::string url;
  uint64_t timeout_ms = 1000;
  uint64_t connections = 256;         // at once; further fetches wait for one
  uint64_t body_bytes = 16ull << 20;  // a longer response is an upstream failure
};

}  // namespace ringmaster::net
