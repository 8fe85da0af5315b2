#include "demo/feature_service/http_codec.h"

#include <fmt/format.h>
#include <optional>
#include <utility>

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/string_body.hpp>

#include "base/assert.h"

namespace ringmaster::feature_service {
namespace {

namespace http = boost::beast::http;

constexpr uint32_t kHeaderBytesMax = 8 * 1024;
constexpr uint64_t kBodyBytesMax = 1024 * 1024;
constexpr size_t kUsedBytesMax = 64 * 1024;

std::string_view view(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

unsigned status_for(const boost::beast::error_code& error) {
  if (error == http::error::body_limit) return 413;
  if (error == http::error::header_limit) return 431;
  return 400;
}

}  // namespace

struct RequestReader::Parser {
  Parser() {
    one.header_limit(kHeaderBytesMax);
    one.body_limit(kBodyBytesMax);
  }
  http::request_parser<http::string_body> one;  // of one request
};

RequestReader::RequestReader() = default;
RequestReader::~RequestReader() = default;

RequestReader::Step RequestReader::next() {
  if (fault_status_ != 0) return Step::kFault;
  if (!parser_) parser_ = std::make_unique<Parser>();
  auto& parser = parser_->one;
  while (!parser.is_done()) {
    const bool had_header = parser.is_header_done();
    boost::beast::error_code error;
    used_ += parser.put(boost::asio::buffer(input_.data() + used_, waiting_bytes()), error);
    if (error && error != http::error::need_more) {
      fail(status_for(error), "expected an HTTP/1 request: " + error.message());
      return Step::kFault;
    }
    if (!had_header && parser.is_header_done() && !parser.is_done()) {
      if (take_header() == Step::kContinue) return Step::kContinue;
      continue;
    }
    if (parser.is_done()) break;
    // Without need_more the parser has stopped early, for example at the end of a chunk.
    if (error == http::error::need_more || waiting_bytes() == 0) {
      input_.erase(0, std::exchange(used_, 0));
      return Step::kMore;
    }
  }
  take_request();
  return Step::kRequest;
}

// Until the header is complete the parser stops behind it; then it reads on (eager).
RequestReader::Step RequestReader::take_header() {
  auto& parser = parser_->one;
  parser.eager(true);
  const auto expect = parser.get()[http::field::expect];
  const bool waits = boost::beast::iequals(expect, "100-continue") && waiting_bytes() == 0;
  return waits && parser.get().version() >= 11 ? Step::kContinue : Step::kMore;
}

void RequestReader::take_request() {
  http::request<http::string_body> message = parser_->one.release();
  request_.method = view(message.method_string());
  request_.target = view(message.target());
  request_.fault = view(message["X-Fault"]);
  request_.keep_alive = message.keep_alive();
  request_.is_http_1_0 = message.version() < 11;
  request_.body = std::move(message.body());
  parser_.reset();
  // Not after every request: each erase would move the rest, which may be thousands of requests.
  if (waiting_bytes() == 0 || used_ > kUsedBytesMax) input_.erase(0, std::exchange(used_, 0));
}

void RequestReader::fail(unsigned status, std::string text) {
  fault_status_ = status;
  fault_text_ = std::move(text);
}

std::string render_head(const Head& head) {
  http::response<http::empty_body> message;
  message.version(head.is_http_1_0 ? 10 : 11);
  message.result(head.status);
  message.set(http::field::server, "feature_service");
  message.set(http::field::content_type, "application/json");
  if (head.status == 405) message.set(http::field::allow, "POST");
  message.keep_alive(head.keep_alive);
  if (head.content_length) {
    message.content_length(*head.content_length);
  } else if (!head.is_http_1_0) {
    message.chunked(true);
  }
  std::string bytes;
  http::response_serializer<http::empty_body> serializer(message);
  serializer.split(true);
  boost::beast::error_code error;
  while (!error && !serializer.is_header_done()) {
    serializer.next(error, [&](boost::beast::error_code&, const auto& buffers) {
      for (const auto buffer : boost::beast::buffers_range_ref(buffers)) {
        bytes.append(static_cast<const char*>(buffer.data()), buffer.size());
      }
      serializer.consume(boost::asio::buffer_size(buffers));
    });
  }
  RM_ASSERT(!error);
  return bytes;
}

void append_chunk(std::string& out, std::string_view bytes) {
  fmt::format_to(std::back_inserter(out), "{:x}\r\n", bytes.size());
  out += bytes;
  out += "\r\n";
}

}  // namespace ringmaster::feature_service
