#include "base/json/scan.h"

#include <algorithm>
#include <array>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>
#include <utility>

#include "base/assert.h"
#include "base/json/find_byte.h"
#include "base/json/mask.h"
#include "base/json/parts.h"

namespace ringmaster::json {
namespace {

// RapidJSON's recursive parser, the faster one: Events stops it at kMaxDepth.
constexpr unsigned kParseFlags = rapidjson::kParseValidateEncodingFlag;
// The thread's reader keeps room for the longest non-ASCII string that it has read. So a text
// longer than this gets a reader of its own, which is destroyed afterwards.
constexpr size_t kKeptReaderBytes = size_t{1} << 20;

// `is_reported`: whether the visitor gets the string that is being read.
struct Text : rapidjson::MemoryStream {
  Text(std::string_view text, const bool& reported)
      : MemoryStream(text.data(), text.size()), is_reported(reported) {}
  const bool& is_reported;
};

// UTF-8 that checks and copies plain ASCII by runs, not by bytes: most text is ASCII, and the
// server has one thread. Of a long string only the beginning is copied. (gcc would turn a memcpy()
// of so few bytes into `rep movs`: then a text with short strings takes twice as long.)
struct Utf8 : rapidjson::UTF8<> {
  template <class Output>
  static bool Validate(Text& in, Output& out) {
    // RapidJSON also compiles, but never calls, its in-situ parser, whose output has no Length().
    if constexpr (requires { out.Length(); }) {
      const char* const begin = in.src_;
      in.src_ = find_byte(begin, in.end_, [](auto c) { return c < 0x20 || c == '"' || c == '\\'; });
      const auto size = static_cast<size_t>(in.src_ - begin);
      if (size > 0) {
        const size_t room = kTextBytesMax - std::min<size_t>(out.Length(), kTextBytesMax);
        const auto kept = static_cast<rapidjson::SizeType>(std::min(size, room));
        if (in.is_reported && kept > 0)
          std::copy_n(begin, kept, static_cast<char*>(out.Push(kept)));
        return true;
      }
    }
    return rapidjson::UTF8<>::Validate(in, out);
  }
};
using Reader = rapidjson::GenericReader<Utf8, Utf8>;

// Turns RapidJSON's events into calls of a visitor, and adds their places in the text.
class Events {
 public:
  Events(std::string_view text, Visitor& visitor)
      : text_(text), visitor_(visitor), depth_max_(visitor.depth_max()) {}

  // The next events come from this stream: its bytes from `opened` on stand for the text from
  // `from` on. Events of the bytes before `opened` are ignored.
  void read_from(const Text& stream, size_t opened, size_t from) {
    stream_ = &stream;
    opened_ = opened;
    from_ = from;
  }

  // Whether the visitor gets the next value or key.
  const bool& is_reported() const { return is_reported_; }

  // Where the value or key after the last event begins.
  size_t next_begin() const {
    size_t begin = last_end_;
    while (begin < text_.size() && is_separator(text_[begin]))
      ++begin;
    return begin;
  }

  // A JSON prefix with the same open brackets as the text so far, to parse the rest of the text
  // behind it.
  std::string opening() const {
    std::string opening;
    for (size_t depth = 0; depth < depth_; ++depth)
      opening += text_[begins_[depth]] == '{' ? kMember : "[";
    const std::string_view between = text_.substr(last_end_, next_begin() - last_end_);
    const bool is_key = opening.ends_with(kMember) && between.find(':') == between.npos;
    if (is_key) opening.resize(opening.size() - kMember.size() + 1);
    return opening;
  }

  bool Null() { return scalar(Kind::kNull); }
  bool Bool(bool) { return scalar(Kind::kBool); }
  bool Int(int) { return scalar(Kind::kNumber); }
  bool Uint(unsigned) { return scalar(Kind::kNumber); }
  bool Int64(int64_t) { return scalar(Kind::kNumber); }
  bool Uint64(uint64_t) { return scalar(Kind::kNumber); }
  bool Double(double) { return scalar(Kind::kNumber); }
  bool RawNumber(const char*, rapidjson::SizeType, bool) { return scalar(Kind::kNumber); }
  bool String(const char* decoded, rapidjson::SizeType size, bool) {
    return scalar(Kind::kString, {decoded, std::min<size_t>(size, kTextBytesMax)});
  }
  bool Key(const char* decoded, rapidjson::SizeType size, bool) {
    if (is_in_opening()) return true;
    last_end_ = end();
    if (!is_reported_) return true;
    visitor_.key({decoded, std::min<size_t>(size, kTextBytesMax)}, depth_);
    return true;
  }
  bool StartObject() { return enter(Kind::kObject); }
  bool StartArray() { return enter(Kind::kArray); }
  bool EndObject(rapidjson::SizeType) { return leave(Kind::kObject); }
  bool EndArray(rapidjson::SizeType) { return leave(Kind::kArray); }

 private:
  static constexpr std::string_view kMember = "{\"\":";

  bool is_in_opening() const { return stream_->Tell() <= opened_; }
  // The end of the parsed part of the text.
  size_t end() const { return stream_->Tell() - opened_ + from_; }

  // RapidJSON reports a scalar once it has read it. The scalar began behind the separators that
  // follow the last event.
  bool scalar(Kind kind, std::string_view decoded = {}) {
    const size_t last_end = std::exchange(last_end_, end());
    if (!is_reported_) return true;
    size_t begin = last_end;
    while (is_separator(text_[begin]))
      ++begin;
    visitor_.value({kind, depth_, text_.substr(begin, last_end_ - begin), decoded});
    return true;
  }

  // RapidJSON reports a bracket once it has read it.
  bool enter(Kind kind) {
    if (is_in_opening()) return true;
    if (depth_ == kMaxDepth) return false;
    if (depth_ <= depth_max_) visitor_.enter(kind, depth_);
    last_end_ = end();
    begins_[depth_++] = last_end_ - 1;
    is_reported_ = depth_ <= depth_max_;
    return true;
  }

  bool leave(Kind kind) {
    last_end_ = end();
    const size_t begin = begins_[--depth_];
    is_reported_ = depth_ <= depth_max_;
    if (!is_reported_) return true;
    visitor_.value({kind, depth_, text_.substr(begin, last_end_ - begin), {}});
    return true;
  }

  std::string_view text_;
  Visitor& visitor_;
  size_t depth_max_;
  size_t depth_ = 0;
  bool is_reported_ = true;  // depth_ <= depth_max_
  size_t last_end_ = 0;
  const Text* stream_ = nullptr;
  size_t opened_ = 0;  // see read_from()
  size_t from_ = 0;
  std::array<size_t, kMaxDepth> begins_;
};

struct Fault {
  rapidjson::ParseErrorCode code = rapidjson::kParseErrorNone;
  size_t offset = 0;
};

// Parses `source`, which stands for the text as in read_from(). The fault's offset is in `source`.
Fault read(Reader& reader, std::string_view source, size_t opened, size_t from, Events& events) {
  Text stream(source, events.is_reported());
  events.read_from(stream, opened, from);
  const auto result = reader.Parse<kParseFlags>(stream, events);
  if (result.Code() == rapidjson::kParseErrorTermination) {  // Events stopped it, behind a bracket
    return {result.Code(), result.Offset() - 1};
  }
  if (result.IsError()) return {result.Code(), result.Offset()};
  // RapidJSON reads a NUL byte as the end of the text.
  if (stream.Tell() != source.size()) {
    return {rapidjson::kParseErrorDocumentRootNotSingular, stream.Tell()};
  }
  return {};
}

// If RapidJSON refuses a lone surrogate or a large number, which are JSON, parses the text from
// there on, masked. Beginning again would double the time of a text that has them at its end.
Fault read_all(Reader& reader, std::string_view text, Visitor& visitor) {
  Events events(text, visitor);
  visitor.restart();
  Fault fault = read(reader, text, 0, 0, events);
  if (fault.code != rapidjson::kParseErrorStringUnicodeSurrogateInvalid &&
      fault.code != rapidjson::kParseErrorNumberTooBig) {
    return fault;
  }
  const size_t from = events.next_begin();
  const std::string opening = events.opening();
  std::string rest = mask(text.substr(from));
  rest.insert(0, opening);
  fault = read(reader, rest, opening.size(), from, events);
  fault.offset = fault.offset - opening.size() + from;
  return fault;
}

std::string_view expected(rapidjson::ParseErrorCode code) {
  switch (code) {
    case rapidjson::kParseErrorDocumentEmpty:
    case rapidjson::kParseErrorValueInvalid:
      return "expected a value";
    case rapidjson::kParseErrorDocumentRootNotSingular:
      return "expected the end after the value";
    case rapidjson::kParseErrorObjectMissName:
      return "expected a key in quotes";
    case rapidjson::kParseErrorObjectMissColon:
      return "expected ':' after the key";
    case rapidjson::kParseErrorObjectMissCommaOrCurlyBracket:
      return "expected ',' or '}' after the member";
    case rapidjson::kParseErrorArrayMissCommaOrSquareBracket:
      return "expected ',' or ']' after the element";
    case rapidjson::kParseErrorStringUnicodeEscapeInvalidHex:
      return "expected four hexadecimal digits in the escape";
    case rapidjson::kParseErrorStringEscapeInvalid:
      return "expected a valid escape or character in the string";
    case rapidjson::kParseErrorStringMissQuotationMark:
      return "expected '\"' at the end of the string";
    case rapidjson::kParseErrorStringInvalidEncoding:
      return "expected UTF-8";
    case rapidjson::kParseErrorNumberMissFraction:
      return "expected a digit after the decimal point";
    case rapidjson::kParseErrorNumberMissExponent:
      return "expected a digit in the exponent";
    case rapidjson::kParseErrorTermination:
      return "expected at most 128 levels of nesting";
    default:
      return "expected JSON";
  }
}
static_assert(kMaxDepth == 128, "the message above has this number");

std::string describe(const Fault& fault, std::string_view text) {
  std::string what(expected(fault.code));
  what += " at byte " + std::to_string(fault.offset) + ", found ";
  if (fault.offset >= text.size()) return what + "the end";
  const char c = text[fault.offset];
  if (c > 0x20 && c < 0x7F) return what + '\'' + c + '\'';
  constexpr std::string_view kHex = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  return what + "the byte 0x" + kHex[byte >> 4] + kHex[byte & 15];
}

}  // namespace

std::string_view name(Kind kind) {
  static constexpr std::array<std::string_view, 6> kNames = {"null",     "a boolean", "a number",
                                                             "a string", "an object", "an array"};
  return kNames[static_cast<size_t>(kind)];
}

std::optional<std::string> scan(std::string_view text, Visitor& visitor) {
  static thread_local Reader kept_reader;
  static thread_local bool is_busy = false;
  RM_ASSERT(!is_busy);
  is_busy = true;
  Fault fault;
  if (text.size() <= kKeptReaderBytes) {
    fault = read_all(kept_reader, text, visitor);
  } else {
    Reader reader;
    fault = read_all(reader, text, visitor);
  }
  is_busy = false;
  if (fault.code == rapidjson::kParseErrorNone) return {};
  return describe(fault, text);
}

}  // namespace ringmaster::json
