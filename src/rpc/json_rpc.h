// JSON-RPC 2.0 (and 1.0 as Go's net/rpc/jsonrpc sends it): parses requests, writes responses.
//
// Pure: no I/O, no clock. One SAX pass checks that the whole message is JSON and notes where the
// members of each envelope lie; no DOM of a payload is ever built. A second pass over the params of
// a request finds the members that the method's fetches need, if any.
// Memory:  a Request points into the parsed message, and is valid as long.
// Limits:  ids of at most kMaxIdBytes, nesting of at most kMaxDepth, batches of `batch_items`.
// Source:  https://www.jsonrpc.org/specification; where it leaves an answer open,
//          tests/e2e/support/vectors.py has it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "rpc/errors.h"

namespace ringmaster::rpc {

inline constexpr size_t kMaxIdBytes = 256;
// About 31 years: a client's timeout_ms is cut to it, so that sums of it cannot overflow.
inline constexpr uint64_t kMaxTimeoutMs = 1'000'000'000'000;

// A client's timeout_ms, cut to kMaxTimeoutMs, with any number of digits. Empty: not a non-negative
// integer.
std::optional<uint64_t> parse_timeout(std::string_view digits);

enum class Version : uint8_t { k1, k2 };

// One item of a message. Either a request that can be served (no error), or one that is answered
// with `error` at once.
struct Request {
  std::string_view id;  // as written, quotes included; empty: a notification
  std::string method;   // with its escapes decoded
  // The JSON text of an object or array; empty when absent or null. Version 1 with one object in
  // the array: that object.
  std::string_view params;
  Version version = Version::k2;
  std::optional<uint64_t> timeout_ms;  // params._meta.timeout_ms
  std::string_view traceparent;        // params._meta.traceparent; empty: none, or no valid one
  bool asks_cost = false;              // params._meta.cost
  bool asks_quote = false;
  // The values in `params` that are wanted for the method, in the order of the names in Wanted;
  // empty: absent.
  std::vector<std::string_view> found;
  std::optional<Error> error;

  // A notification gets no answer, not even an error for wrong params; any other error without an
  // id is answered with the id null.
  bool is_notification() const { return id.empty() && (!error || error->code == kInvalidParams); }
};

struct Message {
  // One request, or a batch's items in order. May be empty: error responses with the id null are
  // left out. If they were answered, two servers would answer each other for ever.
  std::vector<Request> requests;
  bool is_batch = false;  // the answers go into one array

  bool is_json() const {
    return requests.empty() || !requests.front().error ||
           requests.front().error->code != kParseError;
  }
};

// For each method: the dotted names of the params' members that the method's fetches need.
using Wanted = std::unordered_map<std::string, std::vector<std::string>>;

// Parses one whole message. Never fails: an error becomes a Request with `error`. A batch that is
// refused as a whole (bad JSON, empty, over batch_items, or with more than kMaxInvalidItems invalid
// items: see envelope.h) is one such Request, and is_batch is false.
Message parse(std::string_view message, size_t batch_items, const Wanted& wanted = {});

// append_result() and append_error() append one response object to `out`, without a newline. An
// empty `id` (it could not be read) is written as null. Raw newlines of a result (between tokens
// only) become spaces, so that a response is always one line. `meta`: the member `_meta`, as JSON;
// empty: none. Version 1 has none.
void append_result(std::string& out, Version version, std::string_view id, std::string_view result,
                   std::string_view meta = "");
// The parts of a response, for a long result that is sent without a copy. REQUIRES:
// is_one_line(result).
void begin_result(std::string& out, Version version, std::string_view id);
std::string end_of_result(Version version, std::string_view meta = "");
bool is_one_line(std::string_view result);
void append_error(std::string& out, Version version, std::string_view id, const Error& error,
                  std::string_view meta = "");

}  // namespace ringmaster::rpc
