#include "rpc/framing.h"

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "base/find_byte.h"

namespace ringmaster::rpc {
namespace {

// A buffer that has grown beyond this is given back: most connections are idle most of the time.
constexpr size_t kKeptBufferBytes = 4096;

// From a message of this length on, more of it is read straight into the buffer; where there is
// less room than that, it is made for half as much as has come, and for so much at least.
constexpr size_t kRoomBytesMin = 64 << 10;

// Bytes outside of strings that mean nothing to the search for a value's end. They come in short
// runs, for which a table is faster than find_byte().
constexpr auto kPlain = [] {
  std::array<bool, 256> plain{};
  plain.fill(true);
  for (const char c : {'"', '{', '}', '[', ']', '\n'})
    plain[static_cast<size_t>(c)] = false;
  return plain;
}();

// The first byte that means something, in a string or outside.
const char* find_special(const char* at, const char* end, bool is_in_string) {
  if (is_in_string) {
    return find_byte(at, end, [](auto c) { return c == '"' || c == '\\' || c == '\n'; });
  }
  while (at != end && kPlain[static_cast<unsigned char>(*at)])
    ++at;
  return at;
}

bool opens(char c) {
  return c == '{' || c == '[';
}

bool closes(char c) {
  return c == '}' || c == ']';
}

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

}  // namespace

void Framer::feed(std::string_view bytes) {
  RM_ASSERT(failure_ || pos_ == input_.size());
  release();
  input_ = bytes;
  pos_ = begin_ = 0;
  is_in_room_ = false;
}

std::span<char> Framer::room() {
  if (failure_ || is_handed_out_ || buffer_.size() < kRoomBytesMin) return {};
  // One byte more than a message may have: so that one which is too long shows.
  const size_t most = message_bytes_max_ + 1;
  const size_t wanted =
      std::min(buffer_.size() + std::max(buffer_.size() / 2, kRoomBytesMin), most);
  if (buffer_.room().size() < kRoomBytesMin) buffer_.reserve(wanted);
  return buffer_.room();
}

void Framer::feed_room(size_t bytes) {
  input_ = {buffer_.room().data(), bytes};
  pos_ = begin_ = 0;
  is_in_room_ = true;
}

Framer::Event Framer::next(std::string_view& message) {
  release();
  while (!failure_ && pos_ < input_.size()) {
    switch (state_) {
      case State::kBetween:
        find_begin();
        break;
      case State::kSkip:
        skip_line();
        break;
      case State::kValue:
      case State::kLine:
        if (!(state_ == State::kValue ? find_value_end() : find_line_end())) break;
        if (take(message)) return Event::kMessage;
        break;
    }
  }
  if (!failure_ && (state_ == State::kValue || state_ == State::kLine)) keep(input_.size());
  input_ = {};
  pos_ = begin_ = 0;
  is_in_room_ = false;
  std::vector<char>().swap(rest_);
  if (failure_) buffer_.clear(0);
  return failure_.value_or(Event::kNeedMore);
}

std::string_view Framer::take_rest() {
  const std::string_view rest = input_.substr(pos_);
  pos_ = input_.size();
  return rest;
}

bool Framer::skip_bad_message() {
  if (framing_ == Framing::kUndecided || is_concatenated_) return false;
  if (!was_line_end_) state_ = State::kSkip;
  return true;
}

// Forgets the message that was handed out.
void Framer::release() {
  if (!is_handed_out_) return;
  is_handed_out_ = false;
  if (is_in_room_) {  // what came behind the message must not go with it
    rest_.assign(input_.begin() + static_cast<std::ptrdiff_t>(pos_), input_.end());
    input_ = {rest_.data(), rest_.size()};
    pos_ = begin_ = 0;
    is_in_room_ = false;
  }
  buffer_.clear(kKeptBufferBytes);
}

// The place for further framings. Where one character is not enough ("Content-", "POST "), this has
// to be called again with more.
void Framer::decide(char first) {
  if (opens(first)) {
    framing_ = Framing::kJson;
  } else {
    failure_ = Event::kNotAFraming;
  }
}

void Framer::find_begin() {
  while (pos_ < input_.size() && is_blank(input_[pos_])) {
    if (input_[pos_] == '\n') is_after_value_ = false;
    ++pos_;
  }
  if (pos_ == input_.size()) return;
  const char first = input_[pos_];
  if (framing_ == Framing::kUndecided) decide(first);
  begin_ = pos_;
  depth_ = 0;
  is_in_string_ = is_escaped_ = false;
  state_ = opens(first) ? State::kValue : State::kLine;
  if (opens(first) && is_after_value_) is_concatenated_ = true;
}

void Framer::skip_line() {
  const size_t end = input_.find('\n', pos_);
  if (end == std::string_view::npos) {
    pos_ = input_.size();
    return;
  }
  pos_ = end + 1;
  state_ = State::kBetween;
  is_after_value_ = false;
}

// True: the message ends at end_. False: it goes on behind the input.
bool Framer::find_value_end() {
  while (pos_ < input_.size()) {
    if (!is_escaped_) {
      const char* const end = input_.data() + input_.size();
      pos_ = static_cast<size_t>(find_special(input_.data() + pos_, end, is_in_string_) -
                                 input_.data());
      if (pos_ == input_.size()) break;
    }
    const char c = input_[pos_++];
    if (c == '\n' && !is_concatenated_) return end_message(pos_ - 1, true);
    if (is_escaped_) {
      is_escaped_ = false;
    } else if (c == '"') {
      is_in_string_ = !is_in_string_;
    } else if (is_in_string_) {
      is_escaped_ = c == '\\';
    } else if (opens(c)) {
      ++depth_;
    } else if (closes(c) && --depth_ == 0) {
      return end_message(pos_, false);
    }
  }
  return false;
}

bool Framer::find_line_end() {
  const size_t end = input_.find('\n', pos_);
  if (end == std::string_view::npos) {
    pos_ = input_.size();
    return false;
  }
  pos_ = end + 1;
  return end_message(end, true);
}

bool Framer::end_message(size_t end, bool at_line_end) {
  end_ = end;
  state_ = State::kBetween;
  was_line_end_ = at_line_end;
  is_after_value_ = !at_line_end;
  return true;
}

// Hands out what lies between begin_ and end_, after what is in the buffer. False: too large.
bool Framer::take(std::string_view& message) {
  if (buffer_.is_empty()) {
    if (end_ - begin_ > message_bytes_max_) {
      failure_ = Event::kTooLarge;
      return false;
    }
    message = input_.substr(begin_, end_ - begin_);
  } else {
    if (!keep(end_)) return false;
    message = buffer_.view();
  }
  if (was_line_end_ && message.ends_with('\r')) message.remove_suffix(1);
  is_handed_out_ = true;
  return true;
}

// Makes the input from begin_ to `end` part of the buffer. False: the message is too large.
bool Framer::keep(size_t end) {
  const std::string_view bytes = input_.substr(begin_, end - begin_);
  const size_t size = buffer_.size() + bytes.size();
  if (size > message_bytes_max_) {
    failure_ = Event::kTooLarge;
    return false;
  }
  if (is_in_room_) {
    buffer_.commit(bytes.size());
    return true;
  }
  if (size > buffer_.capacity()) {
    buffer_.reserve(std::min(std::max(size, 2 * buffer_.capacity()), message_bytes_max_));
  }
  buffer_.append(bytes);
  return true;
}

}  // namespace ringmaster::rpc
