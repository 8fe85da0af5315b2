// HttpReader: reads HTTP/1.0 and 1.1 requests from a client's stream, by Boost.Beast's parser.
//
// A request is reported twice: when its head is complete, so that it can be refused before its body
// is sent, and when its body is complete. http_policy.h has the rules for requests. Errors, which
// end the connection: HTTP/1.1 without exactly one Host, an invalid Host, other codings than
// chunked, any coding in HTTP/1.0, control characters in a chunk extension, a head of over 8 KiB or
// 128 fields, and Beast's errors: contradicting lengths, malformed fields.
// Pure: no I/O.
// Memory:  while it reads a request: the head, at most kHeadBytesMax, and the body, at most
//          body_bytes_max. Between two requests: only this object.
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
    kNeedMore,  // all bytes were read
    kHead,      // method() and so on are valid
    kMessage,   // body() is complete
    kTooLarge,  // final, after kHead: a body that is or will be longer than body_bytes_max
    kBad        // final: see fault()
  };
  // Reads the stream's next bytes from `pos`, and moves `pos` behind the bytes that were read.
  Event read(std::string_view bytes, size_t& pos);

  // Frees the request that was handed out.
  void release();
  // The same, but body() stays valid for as long as the caller keeps the returned pointer.
  std::shared_ptr<const void> take_message();

  // The current request: valid from kHead until the release() or read() after kMessage.
  std::string_view method() const;
  std::string_view field(std::string_view name) const;  // empty: absent
  std::string_view target() const;
  bool keep_alive() const;  // whether the connection stays open for another request
  bool is_1_0() const;
  bool expects_continue() const;  // the client waits for "100 Continue" before it sends the body
  std::string_view body() const;

  // After kBad: the status of the response, and why.
  struct Fault {
    unsigned status = 400;
    std::string why;
  };
  const Fault& fault() const { return fault_; }

  bool is_mid_message() const { return parser_ != nullptr && !is_out_; }
  // Whether the next read() returns kMessage without more bytes.
  bool is_complete() const;
  // Whether the next read() returns kTooLarge without more bytes, since the head tells the length.
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
  std::string pending_;             // read, but not yet parseable
  bool is_head_out_ = false;
  bool is_out_ = false;
  std::optional<Event> end_;  // final
  Fault fault_;
};

}  // namespace ringmaster::rpc
