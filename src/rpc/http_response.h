// The head of an HTTP response, by Boost.Beast's serializer; its Date is only copied.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace ringmaster::rpc {

using HttpField = std::pair<std::string_view, std::string_view>;

// The head, with its empty line, before a body of so many bytes: of JSON, unless `fields` have a
// Content-Type. `keep_alive` false: the connection is closed after it. `date`: see HttpDate.
std::string http_head(unsigned status, size_t body_bytes, bool keep_alive, std::string_view date,
                      std::span<const HttpField> fields = {});

// To a client that waits for it before it sends a body.
inline constexpr std::string_view kHttpContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace ringmaster::rpc
