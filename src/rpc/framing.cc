#include "rpc/framing.h"

#include <algorithm>
#include <array>

#include "base/assert.h"

namespace ringmaster::rpc {
namespace {

// A buffer that has grown beyond this is given back: most connections are idle most of the time.
constexpr size_t kKeptBufferBytes = 4096;

// Bytes that mean nothing to the search for a value's end: [outside of strings], [inside].
constexpr auto kPlain = [] {
  std::array<std::array<bool, 256>, 2> plain{};
  for (auto& of_place : plain)
    of_place.fill(true);
  for (const char c : {'"', '{', '}', '[', ']', '\n'})
    plain[0][static_cast<size_t>(c)] = false;
  for (const char c : {'"', '\\', '\n'})
    plain[1][static_cast<size_t>(c)] = false;
  return plain;
}();

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
  if (!failure_ && (state_ == State::kValue || state_ == State::kLine)) {
    keep(input_.size());
    begin_ = input_.size();
  }
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
  if (buffer_.capacity() > kKeptBufferBytes) {
    std::vector<char>().swap(buffer_);
  } else {
    buffer_.clear();
  }
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
      const auto& plain = kPlain[is_in_string_];
      while (pos_ < input_.size() && plain[static_cast<unsigned char>(input_[pos_])])
        ++pos_;
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
  if (buffer_.empty()) {
    if (end_ - begin_ > message_bytes_max_) {
      failure_ = Event::kTooLarge;
      return false;
    }
    message = input_.substr(begin_, end_ - begin_);
  } else {
    if (!keep(end_)) return false;
    message = {buffer_.data(), buffer_.size()};
  }
  if (was_line_end_ && message.ends_with('\r')) message.remove_suffix(1);
  is_handed_out_ = true;
  return true;
}

// Appends the input from begin_ to `end` to the buffer. False: the message is too large.
bool Framer::keep(size_t end) {
  const std::string_view bytes = input_.substr(begin_, end - begin_);
  const size_t size = buffer_.size() + bytes.size();
  if (size > message_bytes_max_) {
    failure_ = Event::kTooLarge;
    std::vector<char>().swap(buffer_);
    return false;
  }
  if (size > buffer_.capacity()) {
    buffer_.reserve(std::min(std::max(size, 2 * buffer_.capacity()), message_bytes_max_));
  }
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  return true;
}

}  // namespace ringmaster::rpc
