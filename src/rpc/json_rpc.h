// JSON-RPC 2.0 (and 1.0 as Go's net/rpc/jsonrpc sends it): bytes to requests, outcomes to bytes.
//
// Pure: no I/O, no clock. One SAX pass checks that the whole message is JSON and notes where the
// members of each envelope lie; no DOM of a payload is ever built.
// Memory:  everything in a Request points into the message that was parsed, and lives as long.
// Limits:  ids of at most kMaxIdBytes, nesting of at most kMaxDepth, batches of `batch_items`.
// Source:  https://www.jsonrpc.org/specification; where it is silent, tests/e2e/vectors.py says
//          what is answered.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rpc/errors.h"

namespace ringmaster::rpc {

inline constexpr size_t kMaxIdBytes = 256;
// About 31 years: a client's timeout_ms is cut to it, so that sums of it cannot overflow.
inline constexpr uint64_t kMaxTimeoutMs = 1'000'000'000'000;

// A client's timeout_ms, at most kMaxTimeoutMs, however many digits it has. Empty: it is no
// non-negative integer.
std::optional<uint64_t> parse_timeout(std::string_view digits);

enum class Version : uint8_t { k1, k2 };

// One item of a message. Either a request that can be served (no error), or one that is answered
// with `error` at once.
struct Request {
  std::string_view id;  // as written, quotes included; empty: a notification
  std::string method;   // with its escapes decoded
  // The JSON text of an object or array; empty when absent or null. Of version 1, where all params
  // are in an array of one, the object that is that one.
  std::string_view params;
  Version version = Version::k2;
  std::optional<uint64_t> timeout_ms;  // params._meta.timeout_ms
  std::optional<Error> error;

  // Nothing is answered, whatever becomes of it. That includes a notification whose params are
  // wrong; any other error without an id is answered with the id null.
  bool is_notification() const { return id.empty() && (!error || error->code == kInvalidParams); }
};

struct Message {
  // One, or a batch's items in their order. None where nothing may be answered: error responses
  // with the id null are dropped, or two servers would send each other such, for ever.
  std::vector<Request> requests;
  bool is_batch = false;  // the answers go into one array
};

// Parses one whole message. Never fails: what is wrong becomes a Request with an error. A batch
// that is refused as a whole (bad JSON, empty, over batch_items, or with more than kMaxInvalidItems
// that are no requests: see envelope.h) is one such Request, and is_batch is false.
Message parse(std::string_view message, size_t batch_items);

// What is appended to `out` is one response object, without a newline. `id` is empty where the
// request's could not be read: written as null. A result's raw newlines (they can only stand
// between tokens) are written as spaces, so that one response is always one line.
void append_result(std::string& out, Version version, std::string_view id, std::string_view result);
// The same in its parts, for a long result that is sent from where it lies: it must be one line.
void begin_result(std::string& out, Version version, std::string_view id);
std::string_view end_of_result(Version version);
bool is_one_line(std::string_view result);
void append_error(std::string& out, Version version, std::string_view id, const Error& error);

}  // namespace ringmaster::rpc
