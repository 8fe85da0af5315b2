// Framer: cuts a connection's byte stream into messages, whatever its framing.
//
// JSON values: a value is handed out as soon as it is complete, newline or not. A line end inside
// a value means that the line is bad: it is handed out as it stands (its parse will say what is
// wrong) and reading goes on with the next line. Once a value has been followed by another on the
// same line, the stream is concatenated: values may then span lines, and after a bad one there is
// no place to go on from, so the connection is closed. Blank lines and CR are skipped. What begins
// with another character (xyz, 123) is one message up to the end of its line. Such a character
// behind a value on its line (`{...}}`) makes the value bad JSON where both were fed together;
// where the value was fed alone it was handed out: some clients send no line end to wait for.
// Content-Length: headers before a message tell its length. A line end alone ends a header, too,
// and empty lines before headers are skipped. Where the length cannot be read, there is no place to
// go on from.
// HTTP: see http_reader.h.
//
// Pure: no I/O, no clock. Each byte is looked at once; but for that character, however it arrives.
// Memory: holds only the unfinished message, at most message_bytes_max of it and one byte; while it
//         grows, twice that. And what came with the end of a long one, until that is looked at. A
//         message that was fed whole is not copied, and of a long one only the beginning; bodies of
//         HTTP always are. Of headers at most kHeaderBytesMax are held.
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

  // Another limit for the next messages, of HTTP's excepted; 0: message_bytes_max again.
  void limit_for_now(size_t bytes_max) {
    now_bytes_max_ = bytes_max == 0 ? message_bytes_max_ : std::min(bytes_max, message_bytes_max_);
  }

  // What next() found. kTooLarge, kNotAFraming and kBadFrame are final: whatever is fed afterwards
  // is not looked at, and they come again.
  enum class Event : uint8_t {
    kNeedMore,     // nothing complete: feed() more
    kHead,         // HTTP: the head of a request, see http(); its body is yet to come
    kMessage,      // `message` is one message; it may still be bad JSON
    kTooLarge,     // a message longer than message_bytes_max: answer -32007, then close
    kNotAFraming,  // the first bytes are of no known framing: answer -32700, then close
    kBadFrame      // later ones break the framing; of HTTP http()->fault() says how: the same
  };

  // Gives the framer the next bytes of the stream. They must stay where they are until next() has
  // returned kNeedMore, which keeps what is unfinished.
  void feed(std::string_view bytes);

  // Where the bytes that come next may be read to, instead of being copied there: behind those that
  // it keeps of a long unfinished message. Empty where that does not pay: then feed() them. Holds
  // after next() has returned kNeedMore. feed_room(): so many bytes were read to where room() said
  // last; REQUIRES: no call of feed() since.
  std::span<char> room();
  void feed_room(size_t bytes);

  // The next message, in the bytes that were fed or in the framer's own buffer: valid until the
  // next call of next() or feed().
  Event next(std::string_view& message);

  // What was fed and has not been looked at; the framer forgets it. Between two messages only: for
  // who wants to go on later, and must keep these bytes until then.
  std::string_view take_rest();

  // To be called when the last message turned out not to be JSON. True: the rest of its line will
  // be skipped, go on; false: the stream has no place to go on from, close it.
  bool skip_bad_message();

  // What it keeps of an unfinished message, and of what came with the end of a long one.
  size_t buffered_bytes() const {
    return buffer_.size() + rest_.size() + (http_ != nullptr ? http_->buffered_bytes() : 0);
  }

  Framing framing() const { return framing_; }
  // Of a stream of HTTP: what is known of the request that was handed out last, or its head.
  const HttpReader* http() const { return http_.get(); }
  // Whether a message has begun and is not complete, or the rest of a bad line is yet to come (a
  // connection that stalls here is dribbling). Holds after next() returned kNeedMore.
  bool is_mid_message() const {
    return state_ == State::kHttp ? http_->is_mid_message()
                                  : state_ != State::kFirst && state_ != State::kBetween;
  }
  // Whether what is mid-message has been handed out already, and found bad.
  bool is_in_bad_line() const { return state_ == State::kSkip; }

 private:
  enum class State : uint8_t {
    kFirst,    // before what decides the framing
    kBetween,  // before a message
    kValue,    // in a value that began with a bracket
    kLine,     // in a line that began with anything else
    kSkip,     // in the rest of a bad line
    kHeader,   // in what tells a message's length
    kSized,    // in such a message
    kHttp,     // anywhere in a stream of HTTP
  };

  void release();
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
  // What may lie in the buffer: headers, or a message.
  size_t kept_bytes_max() const {
    const bool is_header = state_ == State::kFirst || state_ == State::kHeader;
    return is_header ? kHeaderBytesMax : now_bytes_max_;
  }

  size_t message_bytes_max_;
  size_t now_bytes_max_;
  Framing framing_ = Framing::kUndecided;
  State state_ = State::kFirst;
  std::optional<Event> failure_;

  std::string_view input_;   // what was fed
  size_t pos_ = 0;           // looked at up to here
  size_t begin_ = 0;         // the unfinished message's, or where it goes on from buffer_
  size_t end_ = 0;           // the finished message's
  ByteBuffer buffer_;        // the front of a message that began in an earlier feed
  bool is_in_room_ = false;  // the input lies in the room of the buffer
  std::vector<char> rest_;   // of such an input, what came behind its message
  bool is_handed_out_ = false;

  ValueEnd value_end_;           // of the value that is being read
  bool was_line_end_ = false;    // the last message ended with its line
  bool is_after_value_ = false;  // a value has ended on this line
  bool is_concatenated_ = false;
  HeaderEnd header_end_;    // of the header that is being read
  size_t sized_bytes_ = 0;  // that are yet to come of the message
  std::unique_ptr<HttpReader> http_;
};

}  // namespace ringmaster::rpc
