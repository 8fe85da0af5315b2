#include "rpc/framer.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace ringmaster::rpc {
namespace {

// A buffer that has grown beyond this is freed after its message, since most connections are idle.
constexpr size_t kKeptBufferBytes = 4096;

// A message of this length or more is read straight into the buffer. When the room gets smaller
// than this, the buffer grows by half of its bytes, and by this at least.
constexpr size_t kRoomBytesMin = 64 << 10;

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// The end of the message whose value ends at `end`. If garbage follows on the value's line, the
// message includes the first character of the garbage, which makes it bad JSON.
size_t end_with_garbage(std::string_view input, size_t end) {
  const size_t next = input.find_first_not_of(" \t\r", end);
  const bool is_garbage =
      next != std::string_view::npos && input[next] != '\n' && !opens_value(input[next]);
  return is_garbage ? next + 1 : end;
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
  // One byte more than the limit, so that a message that is too long is noticed.
  const size_t most = kept_bytes_max() + 1;
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
  // The head alone may complete a request, or say that its body is too large.
  const auto is_due = [this] {
    return http_ != nullptr && (http_->is_complete() || http_->is_too_large());
  };
  while (!failure_ && (pos_ < input_.size() || is_due())) {
    switch (state_) {
      case State::kFirst:
        find_framing();
        break;
      case State::kBetween:
        find_begin();
        break;
      case State::kSkip:
        skip_line();
        break;
      case State::kHeader:
        read_header();
        break;
      case State::kHttp:
        if (const auto event = read_http(message)) return *event;
        break;
      default:
        if (find_end() && take(message)) return Event::kMessage;
    }
  }
  const bool is_unfinished =
      state_ != State::kBetween && state_ != State::kSkip && state_ != State::kHttp;
  if (!failure_ && is_unfinished) keep(input_.size());
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
  if (framing_ != Framing::kJson) return framing_ != Framing::kUndecided;
  if (is_concatenated_) return false;
  if (!was_line_end_) state_ = State::kSkip;
  return true;
}

// Drops the message that was handed out.
void Framer::release() {
  if (http_ != nullptr) http_->release();
  if (!is_handed_out_) return;
  is_handed_out_ = false;
  keep_rest();
  buffer_.clear(kKeptBufferBytes);
}

// Copies the bytes that follow the message out of the buffer's room.
void Framer::keep_rest() {
  if (!is_in_room_) return;
  rest_.assign(input_.begin() + static_cast<std::ptrdiff_t>(pos_), input_.end());
  input_ = {rest_.data(), rest_.size()};
  pos_ = begin_ = 0;
  is_in_room_ = false;
}

std::shared_ptr<const void> Framer::take_message() {
  if (http_ != nullptr) return http_->take_message();
  if (buffer_.is_empty()) return nullptr;
  is_handed_out_ = false;
  keep_rest();
  const auto taken = std::make_shared<ByteBuffer>();
  std::swap(*taken, buffer_);
  return taken;
}

std::optional<Framing> Framer::framing_of(std::string_view first) const {
  const auto framing = rpc::framing_of(first);
  if (framing || expected_line_.empty()) return framing;
  if (first.starts_with(expected_line_)) return Framing::kJson;
  return expected_line_.starts_with(first) ? std::optional(Framing::kUndecided) : std::nullopt;
}

void Framer::find_framing() {
  if (buffer_.is_empty()) {
    while (pos_ < input_.size() && is_blank(input_[pos_]))
      ++pos_;
    begin_ = pos_;
    if (pos_ == input_.size()) return;
  }
  char first[kDecidingBytes];
  const size_t kept = buffer_.view().copy(first, kDecidingBytes);
  const size_t size = kept + input_.copy(first + kept, kDecidingBytes - kept, begin_);
  const auto framing = framing_of({first, size});
  if (!framing) {
    failure_ = Event::kNotAFraming;
    return;
  }
  framing_ = *framing;
  pos_ = begin_;
  switch (framing_) {
    case Framing::kUndecided:
      pos_ = input_.size();
      return;
    case Framing::kHttp:
      http_ = std::make_unique<HttpReader>(message_bytes_max_);
      state_ = State::kHttp;
      if (size_t pos = 0; !buffer_.is_empty())
        http_->read(buffer_.view(), pos);  // not a whole head yet
      buffer_.clear(0);
      return;
    case Framing::kJson:
      // One byte decides the framing, unless a line is expected.
      state_ = buffer_.is_empty() ? State::kBetween : State::kLine;
      return;
    default:
      state_ = State::kHeader;
      header_end_ = HeaderEnd(kept);
  }
}

void Framer::find_begin() {
  while (pos_ < input_.size() && is_blank(input_[pos_])) {
    if (input_[pos_] == '\n') is_after_value_ = false;
    ++pos_;
  }
  if (pos_ == input_.size()) return;
  begin_ = pos_;
  if (framing_ != Framing::kJson) {
    state_ = State::kHeader;
    header_end_ = HeaderEnd();
    return;
  }
  const bool is_value = opens_value(input_[pos_]);
  value_end_ = {};
  state_ = is_value ? State::kValue : State::kLine;
  if (is_value && is_after_value_) is_concatenated_ = true;
}

void Framer::read_header() {
  const bool is_complete = header_end_.find(input_, pos_);
  if (buffer_.size() + pos_ - begin_ > kHeaderBytesMax) failure_ = Event::kBadFrame;
  if (!is_complete || failure_) return;
  if (!buffer_.is_empty()) keep(pos_);
  const std::string_view header =
      buffer_.is_empty() ? input_.substr(begin_, pos_ - begin_) : buffer_.view();
  const std::optional<size_t> length = content_length(header);
  buffer_.clear(kKeptBufferBytes);
  begin_ = pos_;
  state_ = State::kSized;
  if (!length) {
    failure_ = Event::kBadFrame;
  } else if (*length > now_bytes_max_) {
    failure_ = Event::kTooLarge;
  } else {
    sized_bytes_ = *length;
  }
}

std::optional<Framer::Event> Framer::read_http(std::string_view& message) {
  switch (http_->read(input_, pos_)) {
    case HttpReader::Event::kNeedMore:
      return std::nullopt;
    case HttpReader::Event::kHead:
      return Event::kHead;
    case HttpReader::Event::kMessage:
      message = http_->body();
      return Event::kMessage;
    case HttpReader::Event::kTooLarge:
      return failure_ = Event::kTooLarge;
    case HttpReader::Event::kBad:
      return failure_ = Event::kBadFrame;
  }
  return std::nullopt;
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

// True: the message ends at end_. False: it goes on after the input.
bool Framer::find_end() {
  switch (state_) {
    case State::kValue:
      return find_value_end();
    case State::kLine:
      return find_line_end();
    default:
      return find_sized_end();
  }
}

bool Framer::find_value_end() {
  switch (value_end_.find(input_, pos_, !is_concatenated_)) {
    case ValueEnd::Found::kEnd:
      if (!is_concatenated_) pos_ = end_with_garbage(input_, pos_);
      return end_message(pos_, false);
    case ValueEnd::Found::kLineEnd:
      return end_message(pos_ - 1, true);
    default:
      return false;
  }
}

bool Framer::find_sized_end() {
  const size_t size = std::min(sized_bytes_, input_.size() - pos_);
  pos_ += size;
  sized_bytes_ -= size;
  return sized_bytes_ == 0 && end_message(pos_, false);
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

// Hands out the buffer's bytes, then those from begin_ to end_. False: the message is too large.
bool Framer::take(std::string_view& message) {
  if (buffer_.is_empty()) {
    if (end_ - begin_ > now_bytes_max_) {
      failure_ = Event::kTooLarge;
      return false;
    }
    message = input_.substr(begin_, end_ - begin_);
  } else {
    if (!keep(end_)) return false;
    message = buffer_.view();
  }
  is_handed_out_ = true;
  if (was_line_end_ && message.ends_with('\r')) message.remove_suffix(1);
  return true;
}

// Appends the input from begin_ to `end` to the buffer. False: the message is too large.
bool Framer::keep(size_t end) {
  const std::string_view bytes = input_.substr(begin_, end - begin_);
  const size_t size = buffer_.size() + bytes.size();
  if (size > kept_bytes_max()) {
    failure_ = Event::kTooLarge;
    return false;
  }
  if (is_in_room_) {
    buffer_.commit(bytes.size());
    return true;
  }
  if (size > buffer_.capacity()) {
    buffer_.reserve(std::min(std::max(size, 2 * buffer_.capacity()), kept_bytes_max()));
  }
  buffer_.append(bytes);
  return true;
}

}  // namespace ringmaster::rpc
