#include "upstream/request_key.h"

#include <string>
#include <string_view>

namespace ringmaster::upstream {

KeyedHash key_of(const HttpClient::Request& request) {
  std::string text;
  // With its size before it, a part cannot be taken for the end of another one.
  const auto add = [&text](std::string_view part) {
    const uint64_t size = part.size();
    text.append(reinterpret_cast<const char*>(&size), sizeof(size));
    text += part;
  };
  add(request.method);
  add(request.target);
  add(request.body);
  for (const std::string& line : request.constant_headers)
    add(line);
  for (const std::string& line : request.headers)
    add(line);
  return keyed_hash(text);
}

}  // namespace ringmaster::upstream
