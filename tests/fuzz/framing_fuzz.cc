// Framing alone: the input is used twice, as a client's stream and as a client's messages.
//
// A stream is cut into the same messages, in whatever pieces the stream arrives. Correctly framed
// messages come out unchanged.
#include <fuzzer/FuzzedDataProvider.h>

#include "cut.h"
#include "fuzz.h"
#include "rpc/framing.h"

namespace ringmaster {
namespace {

// Small, so that short inputs reach the limit.
constexpr size_t kMessageBytesMax = 300;

std::string http_request(std::string_view message, bool is_chunked, size_t chunk_bytes) {
  std::string out = "POST / HTTP/1.1\r\nHost: x\r\n";
  if (!is_chunked) {
    return out + "Content-Length: " + std::to_string(message.size()) + "\r\n\r\n" +
           std::string(message);
  }
  out += "Transfer-Encoding: chunked\r\n\r\n";
  for (size_t at = 0; at < message.size(); at += chunk_bytes) {
    const std::string_view chunk = message.substr(at, chunk_bytes);
    char size[20];
    std::snprintf(size, sizeof size, "%zx\r\n", chunk.size());
    out += size + std::string(chunk) + "\r\n";
  }
  return out + "0\r\n\r\n";
}

void check_framed(FuzzedDataProvider& script) {
  const auto framing = script.PickValueInArray({rpc::Framing::kContentLength, rpc::Framing::kHttp});
  std::string stream;
  std::vector<std::string> expected;
  while (script.remaining_bytes() > 0) {
    const bool is_chunked = script.ConsumeBool();
    const size_t chunk_bytes = script.ConsumeIntegralInRange<size_t>(1, 40);
    const std::string message = script.ConsumeRandomLengthString(kMessageBytesMax);
    if (message.empty()) continue;
    if (framing == rpc::Framing::kHttp) {
      expected.emplace_back("POST");
      stream += http_request(message, is_chunked, chunk_bytes);
    } else {
      stream += rpc::frame_head(framing, message.size()) + message;
      stream += rpc::frame_tail(framing);
    }
    expected.push_back(message);
  }
  expected.emplace_back("E");
  const auto is_good = [](std::string_view) { return true; };
  RM_ASSERT(fuzz::cut(stream, kMessageBytesMax, fuzz::sizes_for(stream), is_good) == expected);
}

void check_stream(std::string_view stream) {
  const auto is_good = [](std::string_view message) {
    return message.find('!') == message.npos && !fuzz::has_garbage(message);
  };
  RM_ASSERT(fuzz::are_same(fuzz::cut(stream, kMessageBytesMax, fuzz::sizes_for(stream), is_good),
                           fuzz::cut(stream, kMessageBytesMax, fuzz::whole(stream), is_good)));
}

}  // namespace
}  // namespace ringmaster

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ringmaster;
  check_stream(fuzz::text_of(data, size));
  FuzzedDataProvider script(data, size);
  check_framed(script);
  return 0;
}
