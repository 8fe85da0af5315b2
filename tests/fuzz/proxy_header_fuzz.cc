// The PROXY protocol's header: the input is the bytes that a proxy sends.
//
// In whatever pieces they come, the result is the same, and no byte beyond the header is taken.
#include <algorithm>
#include <tuple>

#include "fuzz.h"
#include "net/proxy_header.h"

namespace ringmaster::net {
namespace {

auto result_of(std::string_view stream, const fuzz::NextSize& next_size) {
  ProxyHeader header;
  std::string_view rest = stream;
  while (!rest.empty() && !header.is_complete() && header.fault().empty()) {
    const std::span<char> room = header.room();
    RM_ASSERT(!room.empty());
    const size_t size = std::min({room.size(), rest.size(), next_size()});
    std::copy_n(rest.data(), size, room.data());
    header.feed(size);
    rest.remove_prefix(size);
  }
  std::string client;
  if (header.is_complete() && header.client()) {
    const sockaddr_storage address = *header.client();
    client.assign(reinterpret_cast<const char*>(&address), sizeof address);
  }
  const size_t taken = header.is_complete() ? stream.size() - rest.size() : 0;
  return std::tuple(header.is_complete(), header.fault(), taken, client);
}

}  // namespace
}  // namespace ringmaster::net

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ringmaster;
  const std::string_view stream = fuzz::text_of(data, size);
  RM_ASSERT(net::result_of(stream, fuzz::sizes_for(stream)) ==
            net::result_of(stream, fuzz::whole(stream)));
  return 0;
}
