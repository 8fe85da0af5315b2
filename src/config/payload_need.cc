#include "config/payload_need.h"

#include <algorithm>

#include "base/traceparent.h"
#include "ipc/payload_store.h"

namespace ringmaster::master {
namespace {

constexpr uint64_t kFirstBodyBytes = 16 << 10;

}  // namespace

uint64_t payload_bytes_max(const Options& options, const Method& method) {
  const auto block_bytes = ipc::PayloadStore::block_bytes;
  // The request's block holds a part of the message, the traceparent of an HTTP header, and the
  // client's name.
  uint64_t kept = block_bytes(options.limits.request_bytes + kTraceparentBytes +
                              (method.names_client ? kClientNameBytesMax : 0));
  uint64_t most = kept;
  for (size_t i = 0; i < method.steps.size(); ++i) {
    if (const auto* fetch = std::get_if<FetchStep>(&method.steps[i])) {
      const uint64_t body_bytes = options.upstreams[fetch->upstream].body_bytes;
      kept += block_bytes(body_bytes);
      most = std::max(most, kept + block_bytes(body_bytes / 2));
    } else if (i + 1 < method.steps.size()) {
      kept += block_bytes(options.limits.response_bytes);
      most = std::max(most, kept);
    }
  }
  return most;
}

uint64_t next_body_room(uint64_t room, uint64_t body_bytes) {
  const uint64_t twice = std::max(kFirstBodyBytes, 2 * room);
  return twice > body_bytes / 2 ? body_bytes : twice;
}

}  // namespace ringmaster::master
