// Checks that the memory limits can hold what the other limits allow.
#include <algorithm>
#include <fmt/format.h>
#include <initializer_list>

#include "config/payload_need.h"
#include "config/sections.h"
#include "ipc/payload_store.h"

namespace ringmaster::config {
namespace {

// A connection may hold an incoming request and an outgoing answer at once. If the largest request
// and the largest answer together exceeded the limit, the server would close the connection.
void check_connection_memory(Problems& problems, const Value& root, const Limits& limits) {
  const uint64_t needed = limits.request_bytes + limits.response_bytes;
  if (limits.connection_memory_bytes >= needed) return;
  size_t line = line_of(root, {"limits", "connection_memory_bytes"});
  if (line == 0) line = line_of(root, {"limits", "response_bytes"});
  if (line == 0) line = line_of(root, {"limits", "request_bytes"});
  problems.add(line, "limits.connection_memory_bytes",
               fmt::format("must hold limits.request_bytes plus limits.response_bytes: at least "
                           "{} bytes, found {}",
                           needed, limits.connection_memory_bytes));
}

// The keys that decide how much payload memory one request of the method can need.
struct Need {
  std::string text;  // the keys and their values
  size_t line = 0;   // of the first key that the file sets
};

Need need_of(const Value& root, const Options& options, const Method& method) {
  const Limits& limits = options.limits;
  Need need;
  const auto add = [&](std::string_view key, uint64_t bytes,
                       std::initializer_list<std::string_view> path) {
    need.text +=
        fmt::format("{}{} = {}", need.text.empty() ? "" : ", ", key, in_unit(bytes, Type::kBytes));
    if (need.line == 0) need.line = line_of(root, path);
  };
  for (size_t i = 0; i < method.steps.size(); ++i) {
    if (const auto* fetch = std::get_if<master::FetchStep>(&method.steps[i])) {
      const upstream::UpstreamOptions& upstream = options.upstreams[fetch->upstream];
      add(fmt::format("upstreams.{}.body_bytes", quote_key(upstream.name)), upstream.body_bytes,
          {"upstreams", upstream.name, "body_bytes"});
    } else if (i + 1 < method.steps.size()) {
      add("limits.response_bytes", limits.response_bytes, {"limits", "response_bytes"});
    }
  }
  add("limits.request_bytes", limits.request_bytes, {"limits", "request_bytes"});
  return need;
}

// Without this check the server would start, and refuse each request above some size as retryable.
void check_payload_memory(Problems& problems, const Value& root, const Options& options) {
  const auto bytes_max = [&options](const Method& method) {
    return master::payload_bytes_max(options, method);
  };
  const auto most = std::max_element(
      options.methods.begin(), options.methods.end(),
      [&](const Method& a, const Method& b) { return bytes_max(a) < bytes_max(b); });
  if (most == options.methods.end()) return;
  const Limits& limits = options.limits;
  const uint64_t needed = bytes_max(*most);
  const uint64_t usable =
      limits.payload_memory_bytes / ipc::Arena::kUnitBytes * ipc::Arena::kUnitBytes;
  if (needed <= usable) return;
  const Need need = need_of(root, options, *most);
  const size_t line = line_of(root, {"limits", "payload_memory_bytes"});
  // The bytes needed besides the request: a lower request_bytes must fit into the rest.
  const uint64_t others =
      needed - ipc::PayloadStore::block_bytes(limits.request_bytes) + ipc::kReadablePadding;
  const std::string instead = usable >= others + kKiB
                                  ? fmt::format(", or limits.request_bytes of at most {}",
                                                in_unit(usable - others, Type::kBytes))
                                  : "";
  problems.add(
      line != 0 ? line : need.line, "limits.payload_memory_bytes",
      fmt::format("must hold one request of the method {}, with {}: expected at least {}{}, "
                  "found {}",
                  quote_key(most->name), need.text, in_unit(needed, Type::kBytes), instead,
                  in_unit(limits.payload_memory_bytes, Type::kBytes)));
}

}  // namespace

void check_memory(Problems& problems, const Value& root, const Options& options) {
  check_payload_memory(problems, root, options);
  check_connection_memory(problems, root, options.limits);
}

}  // namespace ringmaster::config
