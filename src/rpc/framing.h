// Framing: cuts a connection's byte stream into messages.
//
// The framing is decided by the first bytes of a connection and kept for its life:
//   { or [        JSON values, newline-delimited or concatenated
//   Content-      (later) headers as in LSP
//   GET POST ...  (later) HTTP/1.1
//   a digit       (later) netstring
// Anything else is not a framing: one -32700, then the connection is closed.
//
// JSON values: a value is handed out as soon as it is complete, newline or not. A line end inside
// a value means that the line is bad: it is handed out as it stands (its parse will say what is
// wrong) and reading goes on with the next line. Once a value has been followed by another on the
// same line, the stream is concatenated: values may then span lines, and after a bad one there is no
// place to go on from, so the connection is closed. Blank lines and CR are skipped.
//
// Pure: no I/O, no clock. Each byte is looked at once, however it arrives.
// Memory: holds only the unfinished message, at most message_bytes_max of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ringmaster::rpc {

enum class Framing : uint8_t { kUndecided, kJson };

class Framer {
 public:
  explicit Framer(size_t message_bytes_max);

  // What next() found.
  enum class Event : uint8_t {
    kNeedMore,    // nothing complete: feed() more
    kMessage,     // `message` is one message; it may still be bad JSON
    kTooLarge,    // a message longer than message_bytes_max: answer -32007, then close
    kNotAFraming  // the first bytes are of no known framing: answer -32700, then close
  };

  // Gives the framer the next bytes of the stream. They must stay where they are until next() has
  // returned kNeedMore, which keeps what is unfinished.
  void feed(std::string_view bytes);

  // The next message, in the bytes that were fed or in the framer's own buffer: valid until the
  // next call of next() or feed().
  Event next(std::string_view& message);

  // To be called when the last message turned out not to be JSON. True: skip the rest of its line
  // and go on; false: the stream has no place to go on from, close it.
  bool skip_bad_message();

  Framing framing() const;
  // Whether a message has begun and is not complete (a connection that stalls here is dribbling).
  bool is_mid_message() const;
};

}  // namespace ringmaster::rpc
