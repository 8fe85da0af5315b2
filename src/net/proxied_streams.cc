#include "net/proxied_streams.h"

#include <utility>

#include "base/clock.h"
#include "net/buffer.h"

namespace ringmaster::net {
namespace {

constexpr uint64_t kHeaderNs = 10 * kNsPerS;

}  // namespace

void ProxiedStreams::read_header(Stream stream, uint64_t now_ns, OnClient on_client) {
  Waiting& waiting =
      waiting_.emplace_back(Waiting{*this, std::move(stream), now_ns, std::move(on_client)});
  waiting.place = std::prev(waiting_.end());
  uv_stream_t& handle = waiting.stream->stream;
  handle.data = &waiting;
  const int error = uv_read_start(
      &handle,
      [](uv_handle_t* of, size_t, uv_buf_t* buffer) {
        const std::span<char> room = static_cast<Waiting*>(of->data)->header.room();
        *buffer = make_buffer(room.data(), room.size());
      },
      [](uv_stream_t* of, ssize_t size, const uv_buf_t*) {
        auto& its = *static_cast<Waiting*>(of->data);
        its.owner.on_read(its, size);
      });
  if (error != 0) waiting_.erase(waiting.place);
}

void ProxiedStreams::on_read(Waiting& waiting, ssize_t size) {
  if (size == 0) return;
  ProxyHeader& header = waiting.header;
  if (size == UV_EOF && header.has_begun()) {
    return refuse(waiting, "the connection ended in the middle of the PROXY protocol's header");
  }
  if (size < 0) {
    waiting_.erase(waiting.place);
    return;
  }
  header.feed(static_cast<size_t>(size));
  if (!header.fault().empty()) return refuse(waiting, header.fault());
  if (!header.is_complete()) return;
  Stream stream = std::move(waiting.stream);
  const OnClient on_client = std::move(waiting.on_client);
  uv_read_stop(&stream->stream);
  if (const auto client = header.client()) stream->peer = *client;
  waiting_.erase(waiting.place);
  on_client(std::move(stream));
}

void ProxiedStreams::refuse(Waiting& waiting, const std::string& why) {
  const std::string what = to_text(waiting.stream->peer) + ": " + why;
  waiting_.erase(waiting.place);
  on_fault_(what);
}

void ProxiedStreams::close_stalled(uint64_t now_ns) {
  while (!waiting_.empty() && now_ns > waiting_.front().since_ns + kHeaderNs)
    refuse(waiting_.front(), "the PROXY protocol's header did not come within 10 s");
}

}  // namespace ringmaster::net
