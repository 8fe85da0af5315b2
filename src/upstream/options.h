// Options of an upstream. config fills them, defaults included.
#pragma once

#include <cstdint>
#include <string>

namespace ringmaster::upstream {

// An HTTP service that fetch steps call: [upstreams.NAME].
struct UpstreamOptions {
  std::string name;
  std::string url;
  uint64_t timeout_ms = 1000;
  uint64_t connections = 256;         // at once; further fetches wait for one
  uint64_t body_bytes = 16ull << 20;  // a longer response is an upstream failure
};

}  // namespace ringmaster::upstream
