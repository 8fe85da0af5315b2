// Framing and JSON-RPC: the input is the stream of bytes of a connection.
//
// Whatever the bytes: the stream is cut into the same messages, in whatever pieces it arrives. A
// message is accepted exactly if it is JSON. The parts of a request lie in its message. Every
// answer is one line of JSON that begins with the id as the client wrote it.
#include <string>
#include <vector>

#include "base/json/scan.h"
#include "cut.h"
#include "fuzz.h"
#include "json_oracle.h"
#include "rpc/json_rpc.h"

namespace ringmaster {
namespace {

using fuzz::is_inside;

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
  for (const std::string_view value : request.found)
    RM_ASSERT(value.empty() || (is_inside(value, request.params) && is_json(value)));
  const std::string answer = answer_to(request);
  RM_ASSERT(is_json(answer) && answer.find_first_of("\r\n") == std::string::npos);
  std::string begin =
      request.version == rpc::Version::k2 ? R"({"jsonrpc":"2.0","id":)" : "{\"id\":";
  begin += request.id.empty() ? "null" : request.id;
  RM_ASSERT(answer.starts_with(begin + ','));
}

// Returns whether the message is JSON.
bool check_message(std::string_view message) {
  const rpc::Message parsed = rpc::parse(message, kBatchItems, {{"a", {"a", "b.c"}}});
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

}  // namespace
}  // namespace ringmaster

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ringmaster;
  const std::string_view stream = fuzz::text_of(data, size);
  const std::vector<std::string> whole =
      fuzz::cut(stream, kMessageBytesMax, fuzz::whole(stream), check_message);
  const auto is_good = [](std::string_view message) { return !json::find_fault(message); };
  RM_ASSERT(
      fuzz::are_same(fuzz::cut(stream, kMessageBytesMax, fuzz::sizes_for(stream), is_good), whole));
  return 0;
}
