#include "base/json/parts.h"

#include "base/json/find_byte.h"

namespace ringmaster::json {
namespace {

bool opens(char c) {
  return c == '{' || c == '[';
}

bool closes(char c) {
  return c == '}' || c == ']';
}

// The place behind the string that begins at `at`.
const char* find_string_end(const char* at, const char* end) {
  for (++at; at != end; ++at) {
    at = find_byte(at, end, [](auto c) { return c == '"' || c == '\\'; });
    if (at == end) break;
    if (*at == '"') return at + 1;
    if (++at == end) break;  // the escaped character
  }
  return end;
}

// The place behind the object or array that begins at `at`.
const char* find_container_end(const char* at, const char* end) {
  size_t depth = 0;
  while (at != end) {
    if (*at == '"') {
      at = find_string_end(at, end);
      continue;
    }
    const char c = *at++;
    if (opens(c)) ++depth;
    if (closes(c) && --depth == 0) break;
  }
  return at;
}

}  // namespace

Parts::Parts(std::string_view container)
    : at_(container.data()), end_(container.data() + container.size()) {
  skip_separators();
  is_object_ = at_ != end_ && *at_ == '{';
  if (at_ != end_) ++at_;
}

std::optional<Parts::Part> Parts::next() {
  skip_separators();
  if (at_ == end_ || closes(*at_)) return {};
  Part part;
  if (is_object_) {
    part.key = take();
    skip_separators();
  }
  part.value = take();
  return part;
}

void Parts::skip_separators() {
  while (at_ != end_ && is_separator(*at_))
    ++at_;
}

std::string_view Parts::take() {
  const char* const begin = at_;
  if (at_ == end_) return {};
  if (*at_ == '"') {
    at_ = find_string_end(at_, end_);
  } else if (opens(*at_)) {
    at_ = find_container_end(at_, end_);
  } else {
    while (at_ != end_ && !is_separator(*at_) && !closes(*at_))
      ++at_;
  }
  return {begin, at_};
}

}  // namespace ringmaster::json
