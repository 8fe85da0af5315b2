// Shared by the tests of the framer: cuts a stream into messages.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json/scan.h"
#include "rpc/framer.h"

namespace ringmaster::rpc {

inline constexpr size_t kBytesMax = 64;

// Feeds a stream in pieces of `piece` bytes, into the framer's room if it offers any. Returns the
// messages, then how the stream ended; skips bad messages as the server does. `is_taken`: takes
// long messages out of the framer, as the server does to parse one later; the bytes behind such a
// message are kept and fed again.
inline std::vector<std::string> cut(std::string_view stream, size_t piece,
                                    size_t bytes_max = kBytesMax, bool is_taken = false) {
  Framer framer(bytes_max);
  std::string rest;
  std::vector<std::string> out;
  while (!stream.empty()) {
    const std::span<char> room = framer.room();
    const size_t size = std::min(piece, room.empty() ? piece : room.size());
    const std::string bytes(stream.substr(0, size));  // freed soon: sanitizers find stale pointers
    stream.remove_prefix(bytes.size());
    if (room.empty()) {
      framer.feed(bytes);
    } else {
      std::copy(bytes.begin(), bytes.end(), room.begin());
      framer.feed_room(bytes.size());
    }
    for (;;) {
      std::string_view message;
      const Framer::Event event = framer.next(message);
      if (event == Framer::Event::kNeedMore) break;
      if (event == Framer::Event::kTooLarge) return out.emplace_back("<too large>"), out;
      if (event == Framer::Event::kNotAFraming) return out.emplace_back("<not a framing>"), out;
      if (event == Framer::Event::kBadFrame) return out.emplace_back("<bad frame>"), out;
      if (event == Framer::Event::kHead) {
        out.emplace_back(framer.http()->method());
        continue;
      }
      const auto owner = is_taken ? framer.take_message() : nullptr;
      if (owner != nullptr) {
        rest = std::string(framer.take_rest());
        framer.feed(rest);
      }
      out.emplace_back(message);
      if (json::find_fault(message) && !framer.skip_bad_message()) {
        return out.emplace_back("<closed>"), out;
      }
    }
  }
  if (framer.is_mid_message()) out.emplace_back("<mid>");
  return out;
}

struct Vector {
  std::string stream;
  std::vector<std::string> out;
};

}  // namespace ringmaster::rpc
