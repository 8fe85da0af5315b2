// The head of an HTTP response, by Boost.Beast's serializer; the Date field is copied in.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace ringmaster::rpc {

using HttpField = std::pair<std::string_view, std::string_view>;

// The head, with its empty line, for a body of `body_bytes`. The body is JSON, unless `fields` have
// a Content-Type. `keep_alive` false: adds Connection: close. `date`: see HttpDate.
std::string http_head(unsigned status, size_t body_bytes, bool keep_alive, std::string_view date,
                      std::span<const HttpField> fields = {});

// Asks a client for the body: one that expects "100-continue" waits for this line.
inline constexpr std::string_view kHttpContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace ringmaster::rpc
