#include "rpc/http_host.h"

#include <algorithm>

namespace ringmaster::rpc {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// RFC 3986: unreserved and sub-delims.
bool is_name_character(char c) {
  constexpr std::string_view kMarks = "-._~!$&'()*+,;=";
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         kMarks.find(c) != std::string_view::npos;
}

// `others`: further characters that are allowed.
bool is_name(std::string_view text, std::string_view others) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (is_name_character(text[i]) || others.find(text[i]) != std::string_view::npos) continue;
    const bool is_escape =
        text[i] == '%' && i + 2 < text.size() && is_hex(text[i + 1]) && is_hex(text[i + 2]);
    if (!is_escape) return false;
    i += 2;
  }
  return true;
}

bool is_port(std::string_view text) {
  return text.empty() ||
         (text.front() == ':' && std::all_of(text.begin() + 1, text.end(), is_digit));
}

}  // namespace

bool is_http_host(std::string_view field) {
  if (field.starts_with('[')) {
    const size_t end = field.find(']');
    if (end == std::string_view::npos || end == 1) return false;
    return is_name(field.substr(1, end - 1), ":") && is_port(field.substr(end + 1));
  }
  const size_t end = std::min(field.find(':'), field.size());
  return is_name(field.substr(0, end), "") && is_port(field.substr(end));
}

}  // namespace ringmaster::rpc
