#include "rpc/framing.h"

#include <algorithm>

#include "base/ascii.h"

namespace ringmaster::rpc {
namespace {

constexpr std::string_view kMethods[] = {"GET ",     "POST ",  "PUT ",     "HEAD ", "DELETE ",
                                         "OPTIONS ", "PATCH ", "CONNECT ", "TRACE "};
constexpr std::string_view kContentHeader = "content-";

// Whether one of the two begins with the other.
bool agree(std::string_view first, std::string_view word) {
  const size_t size = std::min(first.size(), word.size());
  return first.substr(0, size) == word.substr(0, size);
}

}  // namespace

std::optional<Framing> framing_of(std::string_view first) {
  const char c = first.front();
  if (c == '{' || c == '[') return Framing::kJson;
  const size_t size = std::min(first.size(), kContentHeader.size());
  if (iequals(first.substr(0, size), kContentHeader.substr(0, size))) {
    if (size == kContentHeader.size()) return Framing::kContentLength;
    return Framing::kUndecided;
  }
  for (const std::string_view method : kMethods) {
    if (!agree(first, method)) continue;
    return first.size() < method.size() ? Framing::kUndecided : Framing::kHttp;
  }
  return std::nullopt;
}

std::string frame_head(Framing framing, size_t size) {
  if (framing != Framing::kContentLength) return {};
  return "Content-Length: " + std::to_string(size) + "\r\n\r\n";
}

std::string_view frame_tail(Framing framing) {
  return framing == Framing::kContentLength || framing == Framing::kHttp ? "" : "\n";
}

std::optional<size_t> content_length(std::string_view headers) {
  std::optional<size_t> length;
  while (!headers.empty()) {
    const size_t end = std::min(headers.find('\n'), headers.size());
    const std::string_view line = trim(headers.substr(0, end));
    headers.remove_prefix(std::min(end + 1, headers.size()));
    if (line.empty()) continue;  // the empty line at the end
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    if (!iequals(line.substr(0, colon), "content-length")) continue;
    const auto found = to_number<size_t>(trim(line.substr(colon + 1)));
    if (!found || *found == 0 || (length && *length != *found)) return std::nullopt;
    length = found;
  }
  return length;
}

}  // namespace ringmaster::rpc
