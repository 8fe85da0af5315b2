#include "rpc/http_response.h"

#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/serializer.hpp>

namespace ringmaster::rpc {
namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr size_t kUsualBytes = 256;  // so that most heads take one allocation

}  // namespace

std::string http_head(unsigned status, size_t body_bytes, bool keep_alive, std::string_view date,
                      std::span<const HttpField> fields) {
  namespace http = boost::beast::http;
  http::response<http::empty_body> response(http::int_to_status(status), 11);
  if (body_bytes > 0) response.set(http::field::content_type, "application/json");
  response.content_length(body_bytes);
  response.keep_alive(keep_alive);
  for (const auto& [name, value] : fields)
    response.set(boost::beast::string_view(name.data(), name.size()),
                 boost::beast::string_view(value.data(), value.size()));
  http::response_serializer<http::empty_body> serializer(response);
  std::string out;
  out.reserve(kUsualBytes);
  boost::system::error_code error;
  while (!serializer.is_done()) {
    serializer.next(error, [&](boost::system::error_code&, const auto& buffers) {
      size_t size = 0;
      for (const auto buffer : boost::beast::buffers_range_ref(buffers)) {
        out.append(static_cast<const char*>(buffer.data()), buffer.size());
        size += buffer.size();
      }
      serializer.consume(size);
    });
  }
  out.resize(out.size() - kLineEnd.size());  // removes the empty line
  out.append("Date: ").append(date).append(kLineEnd).append(kLineEnd);
  return out;
}

}  // namespace ringmaster::rpc
