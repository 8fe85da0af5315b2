// HttpReader: requests of HTTP/1.0 and 1.1 out of a client's stream, by Boost.Beast's parser.
//
// A request comes out twice: when its head is complete, so that one which is not wanted need not
// send its body, and when its body is. What it wants and whether it may is not judged here.
// Refused, since the connection could not go on: HTTP/1.1 without one Host, an invalid Host, other
// codings than chunked, any in HTTP/1.0, control characters in the extension of a chunk, a head of
// over 8 KiB or 128 fields, and what Beast refuses: contradicting lengths, malformed fields.
// Pure: no I/O.
// Memory:  while a request is read: its head, at most kHeadBytesMax, and its body, at most
//          body_bytes_max. Between two: nothing but this object.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace ringmaster::rpc {

class HttpReader {
 public:
  static constexpr size_t kHeadBytesMax = 8 << 10;

  explicit HttpReader(size_t body_bytes_max);
  ~HttpReader();

  enum class Event {
    kNeedMore,  // all bytes are taken
    kHead,      // method() and so on tell of it
    kMessage,   // body() is complete
    kTooLarge,  // final, after kHead: a body that is or will be longer than body_bytes_max
    kBad        // final: fault() tells what was wrong
  };
  // Reads on in the stream's next bytes, from `pos`, which it moves behind what it has taken.
  Event read(std::string_view bytes, size_t& pos);

  // Forgets the request that has come out, and with it the memory that it takes.
  void release();

  // Of the request that is being read, from kHead until, after kMessage, release() or read().
  std::string_view method() const;
  std::string_view field(std::string_view name) const;  // empty: absent
  std::string_view target() const;
  bool keep_alive() const;  // whether the client wants another answer here
  bool is_1_0() const;
  bool expects_continue() const;  // it waits for "100 Continue" before it sends its body
  std::string_view body() const;

  // Of a kBad: the status to answer with, and why.
  struct Fault {
    unsigned status = 400;
    std::string why;
  };
  const Fault& fault() const { return fault_; }

  bool is_mid_message() const { return parser_ != nullptr && !is_out_; }
  // Whether the next read() gives a kMessage without any more bytes.
  bool is_complete() const;
  // Whether it gives a kTooLarge without any more bytes: the head has said so.
  bool is_too_large() const;
  size_t buffered_bytes() const;

 private:
  struct Parser;

  Event fail(unsigned status, std::string why);
  Event end(Event event);
  std::optional<Event> parse_head(std::string_view bytes, size_t& pos);
  std::optional<Event> parse_body(std::string_view bytes, size_t& pos);
  std::optional<Event> put(std::string_view bytes, size_t& parsed);
  std::optional<Event> keep(std::string_view from, std::string_view bytes, size_t& pos);
  std::optional<Event> judge_head();

  size_t body_bytes_max_;
  std::unique_ptr<Parser> parser_;  // null between two requests
  std::string pending_;             // read, and too little to be parsed
  bool is_head_out_ = false;
  bool is_out_ = false;
  std::optional<Event> end_;  // nothing else comes any more
  Fault fault_;
};

}  // namespace ringmaster::rpc
