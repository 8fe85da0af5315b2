#include "demo/interests/features.h"

#include <algorithm>
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include "demo/interests/plain_events.h"

namespace ringmaster::interests {
namespace {

constexpr size_t kDepthMax = 128;
constexpr std::string_view kUserIdExpected = "an integer of at most 64 bits";
constexpr std::string_view kCategoryExpected = "one of the 17 categories";

// The longest quotation of an unknown category in an error message.
constexpr size_t kFoundBytesMax = 64;

// Gets the events of RapidJSON's reader; false ends the parsing.
class UserReader {
 public:
  UserReader(std::string_view what, rapidjson::MemoryStream& text, User& user)
      : what_(what), text_(text), user_(user) {}

  bool Key(const char* text, rapidjson::SizeType size, bool) {
    if (skipped_depth_ > 0) return true;
    const std::string_view key(text, size);
    if (place_ == Place::kEvent) {
      member_ = key == "category" ? Member::kCategory : key == "ts" ? Member::kTs : Member::kOther;
    } else {
      member_ = key == "user_id"  ? Member::kUserId
                : key == "events" ? Member::kEvents
                                  : Member::kOther;
    }
    return true;
  }

  bool String(const char* text, rapidjson::SizeType size, bool) {
    if (member_ != Member::kCategory || skipped_depth_ > 0) return scalar("a string");
    category_ = find_category({text, size});
    if (category_ != kNoCategory) return true;
    return refuse(kCategoryExpected, '"' +
                                         std::string(text, std::min<size_t>(size, kFoundBytesMax)) +
                                         (size > kFoundBytesMax ? "...\"" : "\""));
  }

  bool Int(int value) { return Int64(value); }
  bool Uint(unsigned value) { return Uint64(value); }
  bool Int64(int64_t value) { return integer(value); }
  bool Uint64(uint64_t value) { return integer(value); }
  bool Double(double) { return member_ == Member::kTs ? true : scalar("another number"); }
  bool RawNumber(const char*, rapidjson::SizeType, bool) { return scalar("a number"); }
  bool Null() { return scalar("null"); }
  bool Bool(bool) { return scalar("a boolean"); }

  bool StartObject();
  bool EndObject(rapidjson::SizeType);
  bool StartArray();
  bool EndArray(rapidjson::SizeType);

  // Call after the whole text was parsed.
  std::optional<std::string> finish();

  // Why the UserReader ended the parsing; empty: it did not.
  const std::string& fault() const { return fault_; }

 private:
  enum class Place : uint8_t { kOutside, kUser, kEvents, kEvent };
  enum class Member : uint8_t { kOther, kUserId, kEvents, kCategory, kTs };

  template <class Integer>
  bool integer(Integer value) {
    if (member_ == Member::kTs || skipped_depth_ > 0) return true;
    if (member_ != Member::kUserId) return scalar("a number");
    user_.id = std::to_string(value);
    return true;
  }

  bool scalar(std::string_view found);
  bool container(std::string_view found);
  std::string_view expected() const;
  bool refuse(std::string_view expected, std::string_view found);
  std::string path() const;

  std::string_view what_;
  rapidjson::MemoryStream& text_;
  User& user_;
  History history_;
  Place place_ = Place::kOutside;
  Member member_ = Member::kOther;
  uint8_t category_ = kNoCategory;
  size_t skipped_depth_ = 0;  // open objects and arrays of a member that is ignored
  bool has_events_ = false;
  std::string fault_;
};

// The kinds of value that are valid at this place, as an error names them. Empty: any value is.
std::string_view UserReader::expected() const {
  switch (place_) {
    case Place::kOutside:
    case Place::kEvents:
      return "an object";
    case Place::kUser:
    case Place::kEvent:
      break;
  }
  switch (member_) {
    case Member::kUserId:
      return kUserIdExpected;
    case Member::kEvents:
      return "an array";
    case Member::kCategory:
      return kCategoryExpected;
    case Member::kTs:
      return "a number";
    case Member::kOther:
      break;
  }
  return {};
}

std::string UserReader::path() const {
  const std::string event = "events[" + std::to_string(history_.size()) + "]";
  switch (place_) {
    case Place::kOutside:
      return std::string(what_);
    case Place::kUser:
      return member_ == Member::kUserId ? "user_id" : "events";
    case Place::kEvents:
      return event;
    case Place::kEvent:
      return event + (member_ == Member::kTs ? ".ts" : ".category");
  }
  return {};
}

bool UserReader::refuse(std::string_view expected, std::string_view found) {
  fault_ = path() + ": expected " + std::string(expected) + ", found " + std::string(found);
  return false;
}

bool UserReader::scalar(std::string_view found) {
  if (skipped_depth_ > 0) return true;
  const std::string_view wanted = expected();
  return wanted.empty() || refuse(wanted, found);
}

// An object or array that is not read: skipped where any value is allowed.
bool UserReader::container(std::string_view found) {
  if (skipped_depth_ == 0 && !scalar(found)) return false;
  if (++skipped_depth_ <= kDepthMax) return true;
  fault_ = std::string(what_) + ": expected a nesting of at most 128, found a deeper one";
  return false;
}

bool UserReader::StartObject() {
  if (skipped_depth_ == 0 && place_ == Place::kEvents) {
    place_ = Place::kEvent;
    member_ = Member::kOther;
    return true;
  }
  if (skipped_depth_ == 0 && place_ == Place::kOutside) {
    place_ = Place::kUser;
    return true;
  }
  return container("an object");
}

bool UserReader::EndObject(rapidjson::SizeType) {
  if (skipped_depth_ > 0) {
    --skipped_depth_;
    return true;
  }
  if (place_ == Place::kUser) {
    place_ = Place::kOutside;
    return true;
  }
  if (category_ == kNoCategory) {
    member_ = Member::kCategory;
    return refuse(kCategoryExpected, "no such member");
  }
  history_.add(category_);
  PlainEvents following(text_.src_, text_.end_);
  while ((category_ = following.next()) != kNoCategory)
    history_.add(category_);
  text_.src_ = following.at();
  place_ = Place::kEvents;
  member_ = Member::kOther;
  return true;
}

bool UserReader::StartArray() {
  if (skipped_depth_ == 0 && place_ == Place::kUser && member_ == Member::kEvents) {
    place_ = Place::kEvents;
    member_ = Member::kOther;
    has_events_ = true;
    history_ = History();
    return true;
  }
  return container("an array");
}

bool UserReader::EndArray(rapidjson::SizeType) {
  if (skipped_depth_ > 0) {
    --skipped_depth_;
  } else {
    place_ = Place::kUser;
  }
  return true;
}

std::optional<std::string> UserReader::finish() {
  place_ = Place::kUser;
  member_ = user_.id.empty() ? Member::kUserId : Member::kEvents;
  if (user_.id.empty() || !has_events_) {
    refuse(expected(), "no such member");
    return fault_;
  }
  history_.write(user_.features);
  return {};
}

}  // namespace

void History::write(Features& features) const {
  Counts counts{};
  for (const Counts& row : followed_) {
    for (size_t i = 0; i < kCategoryCount; ++i)
      counts[i] += row[i];
  }
  uint64_t unchanged = 0;
  uint64_t other_at = 0;  // the newest event with another category than now
  for (size_t i = 0; i < kCategoryCount; ++i) {
    unchanged += followed_[i][i];
    if (i != now_) other_at = std::max(other_at, seen_at_[i]);
  }
  float* out = features.data();
  for (const uint32_t count : counts)
    *out++ = static_cast<float>(count);
  for (const uint64_t at : seen_at_) {
    *out++ = static_cast<float>(at == 0 ? kNeverSeen : std::min(size_ - at + 1, kNeverSeen));
  }
  for (const uint32_t count : followed_[now_])
    *out++ = static_cast<float>(count);
  for (size_t i = 0; i < kRecentCount; ++i) {
    *out++ = static_cast<float>(recent_ >> (8 * i) & 0xff);
  }
  *out++ = static_cast<float>(size_);
  *out++ = static_cast<float>(size_ - other_at);
  *out++ = static_cast<float>(size_ == 0 ? 0 : size_ - 1 - unchanged);
  *out++ = static_cast<float>(std::ranges::count_if(counts, [](uint32_t n) { return n > 0; }));
}

std::optional<std::string> read_user(std::string_view text, std::string_view what, User& user) {
  user.id.clear();
  rapidjson::MemoryStream stream(text.data(), text.size());
  UserReader reader(what, stream, user);
  rapidjson::Reader parser;
  const rapidjson::ParseResult result = parser.Parse(stream, reader);
  if (!reader.fault().empty()) return reader.fault();
  // The parser reads a NUL as the end of the text.
  const bool is_whole = !result.IsError() && stream.Tell() == text.size();
  if (!is_whole) {
    const size_t at = result.IsError() ? result.Offset() : stream.Tell();
    return std::string(what) + ": expected JSON, found a fault at byte " + std::to_string(at) +
           (result.IsError() ? std::string(": ") + rapidjson::GetParseError_En(result.Code()) : "");
  }
  return reader.finish();
}

}  // namespace ringmaster::interests
