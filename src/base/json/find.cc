// The functions of json/scan.h that use scan().
#include <algorithm>
#include <bitset>
#include <rapidjson/document.h>
#include <rapidjson/encodings.h>
#include <rapidjson/memorystream.h>
#include <utility>
#include <vector>

#include "base/ascii.h"
#include "base/assert.h"
#include "base/json/scan.h"

namespace ringmaster::json {
namespace {

class Ignorer final : public Visitor {
 public:
  size_t depth_max() const override { return 0; }
  void restart() override {}
};

class Nesting final : public Visitor {
 public:
  void restart() override { levels_ = 0; }
  void enter(Kind, size_t depth) override { levels_ = std::max(levels_, depth + 1); }
  size_t levels() const { return levels_; }

 private:
  size_t levels_ = 0;
};

// Finds the value at one dotted path. A part of the path names a member of an object, or is the
// index of an array's element.
class Search {
 public:
  Search(std::string_view path, std::string_view& found) : path_(path), found_(found) { restart(); }

  void restart() {
    found_ = {};
    rest_begin_ = entered_ = 0;
    is_next_ = false;
    is_array_[0] = false;
    index_ = 0;
  }

  void key(std::string_view text, size_t depth) {
    if (depth != entered_ + 1) return;
    is_next_ = text == part();
    // The last of duplicate keys counts, even if it does not lead to the end of the path.
    if (is_next_) found_ = {};
  }

  void enter(Kind kind, size_t depth) {
    if (depth == 0) return enter_container(kind);
    if (depth != entered_ + 1) return;
    see_element();
    if (!is_next_ || is_last_part()) return;
    rest_begin_ = part_end() + 1;
    ++entered_;
    enter_container(kind);
  }

  void value(const Value& value) {
    if (value.depth == entered_ + 1) {
      see_element();
      if (is_next_ && is_last_part()) found_ = value.raw;
      is_next_ = false;
      ++index_;
    } else if (value.depth == entered_ && entered_ > 0) {
      --entered_;
      rest_begin_ = rest_begin_ < 2 ? 0 : path_.rfind('.', rest_begin_ - 2) + 1;
      index_ = kPast;
    }
  }

 private:
  static constexpr size_t kPast = SIZE_MAX / 2;  // index_ after the wanted element

  void enter_container(Kind kind) {
    is_array_[entered_] = kind == Kind::kArray;
    is_next_ = false;
    index_ = 0;
    const bool has_zero = part().starts_with('0') && part().size() > 1;
    wanted_ = has_zero ? std::nullopt : to_number<size_t>(part());
  }
  void see_element() {
    if (is_array_[entered_]) is_next_ = wanted_ == index_;
  }
  size_t part_end() const { return std::min(path_.find('.', rest_begin_), path_.size()); }
  std::string_view part() const { return path_.substr(rest_begin_, part_end() - rest_begin_); }
  bool is_last_part() const { return part_end() == path_.size(); }

  std::string_view path_;
  std::string_view& found_;
  size_t rest_begin_;  // begin of the path's part that is searched in the current container
  size_t entered_;     // the number of containers that the earlier parts entered
  size_t index_;       // in an array: the index of its next element
  std::optional<size_t> wanted_;         // in an array: the index that the path's part names
  bool is_next_;                         // the path's part names the next value
  std::bitset<kMaxDepth + 2> is_array_;  // the containers that were entered; 0: the root
};

class Searches final : public Visitor {
 public:
  void add(std::string_view path, std::string_view& found) { searches_.emplace_back(path, found); }
  void restart() override {
    for (auto& search : searches_)
      search.restart();
  }
  void key(std::string_view text, size_t depth) override {
    for (auto& search : searches_)
      search.key(text, depth);
  }
  void enter(Kind kind, size_t depth) override {
    for (auto& search : searches_)
      search.enter(kind, depth);
  }
  void value(const Value& value) override {
    for (auto& search : searches_)
      search.value(value);
  }

 private:
  std::vector<Search> searches_;
};

// The size of the UTF-8 character at the front; 0: the front is not valid UTF-8.
size_t character_size(std::string_view text) {
  rapidjson::MemoryStream stream(text.data(), text.size());
  unsigned codepoint = 0;
  return rapidjson::UTF8<>::Decode(stream, &codepoint) ? stream.Tell() : 0;
}

void append_control(std::string& out, char c) {
  constexpr std::string_view kHex = "0123456789abcdef";
  switch (c) {
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += "\\u00";
      out += kHex[static_cast<size_t>(c) >> 4];
      out += kHex[static_cast<size_t>(c) & 15];
  }
}

}  // namespace

std::optional<std::string> find_fault(std::string_view text) {
  Ignorer ignorer;
  return scan(text, ignorer);
}

tl::expected<size_t, std::string> find_nesting(std::string_view text) {
  Nesting nesting;
  if (auto fault = scan(text, nesting)) return tl::unexpected(std::move(*fault));
  return nesting.levels();
}

void find_members(std::string_view text, std::span<const std::string> paths,
                  std::span<std::string_view> found) {
  RM_ASSERT(paths.size() == found.size());
  Searches searches;
  for (size_t i = 0; i < paths.size(); ++i)
    searches.add(paths[i], found[i]);
  if (scan(text, searches)) searches.restart();
}

std::string_view find_member(std::string_view text, std::string_view path) {
  std::string_view found;
  Searches searches;
  searches.add(path, found);
  if (scan(text, searches)) searches.restart();
  return found;
}

std::string_view trimmed(std::string_view json) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const size_t begin = std::min(json.find_first_not_of(kBlanks), json.size());
  return json.substr(begin, json.find_last_not_of(kBlanks) + 1 - begin);
}

std::optional<std::string> unquote(std::string_view json) {
  rapidjson::Document document;
  document.Parse(json.data(), json.size());
  if (document.HasParseError() || !document.IsString()) return std::nullopt;
  const std::string_view text(document.GetString(), document.GetStringLength());
  // RapidJSON accepts a low surrogate without a high one before it.
  for (std::string_view rest = text; !rest.empty();) {
    const size_t size = rest.front() >= 0 ? 1 : character_size(rest);
    if (size == 0) return std::nullopt;
    rest.remove_prefix(size);
  }
  return std::string(text);
}

std::string quote(std::string_view text) {
  std::string out = "\"";
  out.reserve(text.size() + 2);
  while (!text.empty()) {
    const char c = text.front();
    size_t size = 1;
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c >= 0 && c < 0x20) {
      append_control(out, c);
    } else if (c >= 0) {
      out += c;
    } else if (size = character_size(text); size > 0) {
      out += text.substr(0, size);
    } else {
      out += "\\ufffd";
      size = 1;
    }
    text.remove_prefix(size);
  }
  out += '"';
  return out;
}

}  // namespace ringmaster::json
