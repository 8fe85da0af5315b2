// Cuts a client's stream into messages, in whatever pieces the stream arrives.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz.h"
#include "rpc/framer.h"
#include "rpc/value_end.h"

namespace ringmaster::fuzz {

using IsGood = std::function<bool(std::string_view)>;
using OnHead = std::function<void(const rpc::HttpReader&)>;

// Feeds a framer the stream in pieces, as a connection does. Returns the messages, over HTTP each
// after its head's method, and then one letter for how the stream ended. `is_good`: whether a
// message is JSON.
inline std::vector<std::string> cut(
    std::string_view stream, size_t message_bytes_max, const NextSize& next_size,
    const IsGood& is_good, const OnHead& on_head = [](const rpc::HttpReader&) {}) {
  using Event = rpc::Framer::Event;
  rpc::Framer framer(message_bytes_max);
  std::vector<std::string> out;
  while (!stream.empty()) {
    const std::string_view piece = stream.substr(0, next_size());
    stream.remove_prefix(piece.size());
    // A copy, freed after this turn: so sanitizers find reads beyond the piece, and later reads.
    const std::vector<char> bytes(piece.begin(), piece.end());
    framer.feed({bytes.data(), bytes.size()});
    for (;;) {
      std::string_view message;
      const Event event = framer.next(message);
      if (event == Event::kNeedMore) break;
      if (event == Event::kTooLarge) return out.emplace_back("L"), out;
      if (event == Event::kNotAFraming) return out.emplace_back("F"), out;
      if (event == Event::kBadFrame) return out.emplace_back("R"), out;
      if (event == Event::kHead) {
        on_head(*framer.http());
        out.emplace_back(framer.http()->method());
        continue;
      }
      RM_ASSERT(!message.empty() || framer.http() != nullptr);
      RM_ASSERT(message.size() <= message_bytes_max);
      out.emplace_back(message);
      if (!is_good(message) && !framer.skip_bad_message()) return out.emplace_back("B"), out;
    }
  }
  out.emplace_back(framer.is_in_bad_line() ? "S" : framer.is_mid_message() ? "M" : "E");
  return out;
}

// Whether a message is a value with the garbage that follows it on its line. In a stream of JSON
// values the two are one message only if they arrive together.
inline bool has_garbage(std::string_view message) {
  if (message.empty() || !rpc::opens_value(message.front())) return false;
  size_t pos = 0;
  return rpc::ValueEnd().find(message, pos, false) == rpc::ValueEnd::Found::kEnd &&
         pos < message.size();
}

// Whether a stream was cut the same way twice. If a faulty chunk of HTTP comes in pieces, its fault
// may be found later, or another fault is found. No message follows a fault. A stream with a value
// that garbage follows is not compared.
inline bool are_same(std::vector<std::string> a, std::vector<std::string> b) {
  if (std::any_of(a.begin(), a.end(), has_garbage)) return true;
  if (std::any_of(b.begin(), b.end(), has_garbage)) return true;
  const std::string end_a = std::move(a.back()), end_b = std::move(b.back());
  // A value and the garbage behind it are too long only where they arrive together.
  if ((end_a == "L") != (end_b == "L")) return true;
  a.pop_back();
  b.pop_back();
  const bool both_fail = end_a != "E" && end_b != "E" && !a.empty();
  const bool is_http =
      both_fail && !a.front().empty() && a.front().front() >= 'A' && a.front().front() <= 'Z';
  return a == b && (end_a == end_b || is_http);
}

}  // namespace ringmaster::fuzz
