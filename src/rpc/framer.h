// Framer: cuts a connection's byte stream into messages, in any framing.
//
// JSON values: a value is handed out as soon as it is complete, newline or not. A line end inside a
// value makes the line bad: the framer hands it out as it is (the parser reports the error) and
// goes on with the next line. Once two values stand on one line, the stream is concatenated: values
// may then span lines, and a bad one closes the connection, since the next value's start is
// unknown. Blank lines and CR are skipped. A message that begins with neither { nor [ (xyz, 123)
// ends with its line. Garbage behind a value on its line (`{...}}`) makes the value bad JSON if
// both were fed together. If the garbage comes later, the value was handed out already, since some
// clients send no line end.
// Content-Length: headers before a message tell its length. LF without CR ends a header, too, and
// empty lines before headers are skipped. No message is read after an unreadable length.
// HTTP: see http_reader.h.
//
// Pure: no I/O, no clock. Reads each byte once. The result does not depend on how the bytes are
//       divided, except where garbage follows a value.
// Memory: holds the unfinished message, at most message_bytes_max and one byte, twice that while
//         the buffer grows; the bytes behind a long message, until next() reads them; and at most
//         kHeaderBytesMax of headers. A message that was fed whole is not copied. Of a long message
//         only the beginning is copied. HTTP bodies are always copied.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/byte_buffer.h"
#include "rpc/framing.h"
#include "rpc/header_end.h"
#include "rpc/http_reader.h"
#include "rpc/value_end.h"

namespace ringmaster::rpc {

class Framer {
 public:
  explicit Framer(size_t message_bytes_max)
      : message_bytes_max_(message_bytes_max), now_bytes_max_(message_bytes_max) {}

  // Sets another limit for the next messages, except HTTP's; 0: message_bytes_max again.
  void limit_for_now(size_t bytes_max) {
    now_bytes_max_ = bytes_max == 0 ? message_bytes_max_ : std::min(bytes_max, message_bytes_max_);
  }

  // A stream that begins with this line, its line end included, is a stream of lines: next() hands
  // the line out as a message. REQUIRES: at most kDecidingBytes; before the first feed().
  void expect_line(std::string_view line) { expected_line_ = line; }

  // The result of next(). kTooLarge, kNotAFraming and kBadFrame are final: further input is
  // ignored, and next() returns them again.
  enum class Event : uint8_t {
    kNeedMore,     // no complete message: feed() more
    kHead,         // HTTP: the head of a request, see http(); its body is yet to come
    kMessage,      // `message` is one message; it may still be bad JSON
    kTooLarge,     // a message longer than message_bytes_max: answer -32007, then close
    kNotAFraming,  // the first bytes are of no known framing: answer -32700, then close
    kBadFrame      // later bytes break the framing (HTTP: see http()->fault()): answer as above
  };

  // Gives the framer the next bytes of the stream. They must stay valid until next() has returned
  // kNeedMore; by then it has copied an unfinished message.
  void feed(std::string_view bytes);

  // The room behind a long unfinished message: read the next bytes into it to save a copy. Empty:
  // use feed(). Valid after next() has returned kNeedMore. feed_room(): `bytes` were read into the
  // last room(). REQUIRES: no call of feed() since.
  std::span<char> room();
  void feed_room(size_t bytes);

  // The next message, in the bytes that were fed or in the framer's own buffer: valid until the
  // next call of next() or feed().
  Event next(std::string_view& message);

  // Takes the bytes of a message that next() has handed out, if they lie in the framer's own
  // buffer, as those of a long message do: the message is valid for as long as the caller keeps
  // them. Null: they are among the bytes that were fed. REQUIRES: no call of next() or feed()
  // since.
  std::shared_ptr<const void> take_message();

  // Removes from the framer the bytes that next() has not read. The caller keeps them, and feeds
  // them later. REQUIRES: the framer is between two messages.
  std::string_view take_rest();

  // Call when the last message was not JSON. True: the rest of its line will be skipped; false: the
  // next message's start is unknown, close the connection.
  bool skip_bad_message();

  // The bytes held of an unfinished message, and behind a long one.
  size_t buffered_bytes() const {
    return buffer_.size() + rest_.size() + (http_ != nullptr ? http_->buffered_bytes() : 0);
  }

  Framing framing() const { return framing_; }
  // HTTP: the request whose head or message was handed out last.
  const HttpReader* http() const { return http_.get(); }
  // Whether a message has begun and is not complete, or the rest of a bad line is yet to come.
  // Valid after next() has returned kNeedMore.
  bool is_mid_message() const {
    return state_ == State::kHttp ? http_->is_mid_message()
                                  : state_ != State::kFirst && state_ != State::kBetween;
  }
  // Whether the rest of a bad line, handed out already, is yet to come.
  bool is_in_bad_line() const { return state_ == State::kSkip; }

 private:
  enum class State : uint8_t {
    kFirst,    // before the bytes that decide the framing
    kBetween,  // before a message
    kValue,    // in a value that began with a bracket
    kLine,     // in a line that began with anything else
    kSkip,     // in the rest of a bad line
    kHeader,   // in the headers that tell a message's length
    kSized,    // in a message of this length
    kHttp,     // anywhere in a stream of HTTP
  };

  void release();
  void keep_rest();
  std::optional<Framing> framing_of(std::string_view first) const;
  void find_framing();
  void find_begin();
  void skip_line();
  void read_header();
  std::optional<Event> read_http(std::string_view& message);
  bool find_value_end();
  bool find_line_end();
  bool find_sized_end();
  bool find_end();
  bool end_message(size_t end, bool at_line_end);
  bool take(std::string_view& message);
  bool keep(size_t end);
  // The limit of the buffer: of headers, or of a message.
  size_t kept_bytes_max() const {
    const bool is_header = state_ == State::kFirst || state_ == State::kHeader;
    return is_header ? kHeaderBytesMax : now_bytes_max_;
  }

  size_t message_bytes_max_;
  size_t now_bytes_max_;
  std::string_view expected_line_;
  Framing framing_ = Framing::kUndecided;
  State state_ = State::kFirst;
  std::optional<Event> failure_;

  std::string_view input_;   // the bytes of the last feed
  size_t pos_ = 0;           // read up to here
  size_t begin_ = 0;         // begin of the unfinished message, or of its part behind buffer_
  size_t end_ = 0;           // end of the finished message
  ByteBuffer buffer_;        // the first part of a message that began in an earlier feed
  bool is_in_room_ = false;  // the input lies in the room of the buffer
  std::vector<char> rest_;   // a copy of the bytes that followed a message in the room
  bool is_handed_out_ = false;

  ValueEnd value_end_;           // of the value that is being read
  bool was_line_end_ = false;    // the last message ended with its line
  bool is_after_value_ = false;  // a value has ended on this line
  bool is_concatenated_ = false;
  HeaderEnd header_end_;    // of the header that is being read
  size_t sized_bytes_ = 0;  // bytes of the message yet to come
  std::unique_ptr<HttpReader> http_;
};

}  // namespace ringmaster::rpc
