// Framing and JSON-RPC: the input is what a connection brings.
//
// Whatever comes: the stream is cut into the same messages however it arrives; a message is
// accepted exactly if it is JSON; what a request points to lies in its message; every answer is one
// line of JSON that begins with the id as it was written.
#include <functional>
#include <string>
#include <vector>

#include "base/json.h"
#include "fuzz.h"
#include "json_oracle.h"
#include "rpc/framer.h"
#include "rpc/json_rpc.h"

namespace ringmaster {
namespace {

using fuzz::is_inside;
using rpc::Framer;

// Small, so that short inputs reach the limits; a message can still be nested too deep.
constexpr size_t kMessageBytesMax = 512;
constexpr size_t kBatchItems = 4;

bool is_json(std::string_view text) {
  return fuzz::JsonOracle::is_json(text, json::kMaxDepth);
}

// The answer that a request gets from a method that returns its params.
std::string answer_to(const rpc::Request& request) {
  std::string answer;
  if (request.error) {
    rpc::append_error(answer, request.version, request.id, *request.error);
  } else {
    const std::string_view result = request.params.empty() ? "null" : request.params;
    rpc::append_result(answer, request.version, request.id, result);
  }
  return answer;
}

void check_request(const rpc::Request& request, std::string_view message) {
  RM_ASSERT(is_inside(request.id, message) && request.id.size() <= rpc::kMaxIdBytes);
  RM_ASSERT(is_inside(request.params, message));
  RM_ASSERT(request.id.empty() || is_json(request.id));
  RM_ASSERT(request.params.empty() || is_json(request.params));
  const std::string answer = answer_to(request);
  RM_ASSERT(is_json(answer) && answer.find_first_of("\r\n") == std::string::npos);
  std::string begin =
      request.version == rpc::Version::k2 ? R"({"jsonrpc":"2.0","id":)" : "{\"id\":";
  begin += request.id.empty() ? "null" : request.id;
  RM_ASSERT(answer.starts_with(begin + ','));
}

// Returns whether the message is JSON.
bool check_message(std::string_view message) {
  const rpc::Message parsed = rpc::parse(message, kBatchItems);
  RM_ASSERT(parsed.requests.size() <= kBatchItems);
  RM_ASSERT(parsed.is_batch || parsed.requests.size() <= 1);
  bool is_accepted = true;
  for (const rpc::Request& request : parsed.requests) {
    if (request.error && request.error->code == rpc::kParseError) is_accepted = false;
    check_request(request, message);
  }
  RM_ASSERT(is_accepted == is_json(message));
  return is_accepted;
}

// What comes out of the stream when it is fed in pieces, as a connection would do it: the messages,
// then one letter for how it ended. `is_good` looks at each message.
using NextSize = std::function<size_t()>;
using IsGood = std::function<bool(std::string_view)>;
std::vector<std::string> cut(std::string_view stream, const NextSize& next_size,
                             const IsGood& is_good) {
  Framer framer(kMessageBytesMax);
  std::vector<std::string> out;
  while (!stream.empty()) {
    const std::string_view piece = stream.substr(0, next_size());
    stream.remove_prefix(piece.size());
    // Exactly as long as the piece, and gone after it: nothing may look beyond, or later.
    const std::vector<char> bytes(piece.begin(), piece.end());
    framer.feed({bytes.data(), bytes.size()});
    for (;;) {
      std::string_view message;
      const Framer::Event event = framer.next(message);
      if (event == Framer::Event::kNeedMore) break;
      if (event == Framer::Event::kTooLarge) return out.emplace_back("L"), out;
      if (event == Framer::Event::kNotAFraming) return out.emplace_back("F"), out;
      RM_ASSERT(!message.empty() && message.size() <= kMessageBytesMax);
      out.emplace_back(message);
      if (!is_good(message) && !framer.skip_bad_message()) return out.emplace_back("B"), out;
    }
  }
  out.emplace_back(framer.is_in_bad_line() ? "S" : framer.is_mid_message() ? "M" : "E");
  return out;
}

}  // namespace
}  // namespace ringmaster

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ringmaster;
  const std::string_view stream = fuzz::text_of(data, size);
  const auto whole_size = [&stream] { return stream.size(); };
  const std::vector<std::string> whole = cut(stream, whole_size, check_message);
  // In pieces, most of them small: of sizes that depend on the input alone.
  auto state = static_cast<uint32_t>(std::hash<std::string_view>{}(stream));
  const auto some_size = [&state] {
    state = state * 1664525 + 1013904223;
    return size_t{1} << (state >> 29);
  };
  const auto is_good = [](std::string_view message) { return !json::find_fault(message); };
  RM_ASSERT(cut(stream, some_size, is_good) == whole);
  return 0;
}
