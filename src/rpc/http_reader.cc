#include "rpc/http_reader.h"

#include <algorithm>
#include <fmt/format.h>
#include <functional>
#include <iterator>
#include <limits>

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "base/assert.h"
#include "rpc/http_host.h"

namespace ringmaster::rpc {
namespace {

namespace http = boost::beast::http;
using boost::system::error_code;

std::string_view view_of(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

// The longest line between the chunks of a body, with its extensions.
constexpr size_t kPendingBytesMax = HttpReader::kHeadBytesMax;

constexpr std::string_view kHeadEnd = "\r\n\r\n";

// Once Beast has read the beginning of the last chunk, it asserts that it gets the whole chunk.
constexpr std::string_view kLastChunk = "0\r\n\r\n";

// Beast allocates each field separately, with more bytes than the shortest field has.
constexpr std::ptrdiff_t kFieldsMax = 128;
constexpr size_t kFieldBytes = 80;

bool is_blank_line(char c) {
  return c == '\r' || c == '\n';
}

// RFC 9110 5.5: the only control character in a line may be a tab.
bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t') || byte == 0x7f;
}

void forget(std::string& bytes) {
  bytes.clear();
  bytes.shrink_to_fit();
}

}  // namespace

struct HttpReader::Parser {
  Parser() {
    beast.header_limit(kHeadBytesMax + kHeadEnd.size());
    beast.body_limit(std::numeric_limits<uint64_t>::max());  // until the head is handed out
    beast.on_chunk_header(judge_chunk_header);
  }

  // Beast accepts every byte in a quoted value, but a proxy may read a bare line end in it as the
  // end of the line, and then find other requests in the stream than we do.
  std::function<void(uint64_t, boost::beast::string_view, error_code&)> judge_chunk_header =
      [](uint64_t, boost::beast::string_view extensions, error_code& error) {
        if (std::any_of(extensions.begin(), extensions.end(), is_control)) {
          error = http::error::bad_chunk_extension;
        }
      };
  http::request_parser<http::string_body> beast;
};

HttpReader::HttpReader(size_t body_bytes_max) : body_bytes_max_(body_bytes_max) {}
HttpReader::~HttpReader() = default;

HttpReader::Event HttpReader::read(std::string_view bytes, size_t& pos) {
  if (end_) return *end_;
  release();
  if (parser_ == nullptr) {
    while (pos < bytes.size() && is_blank_line(bytes[pos]))
      ++pos;  // some clients end a body with a blank line
    if (pos == bytes.size()) return Event::kNeedMore;
    parser_ = std::make_unique<Parser>();
  }
  for (;;) {
    if (is_complete()) {
      is_out_ = true;
      return Event::kMessage;
    }
    if (is_too_large()) return end(Event::kTooLarge);
    if (pos == bytes.size()) return Event::kNeedMore;
    const auto event = is_head_out_ ? parse_body(bytes, pos) : parse_head(bytes, pos);
    if (event) return *event;
  }
}

void HttpReader::release() {
  if (!is_out_) return;
  parser_.reset();
  is_out_ = is_head_out_ = false;
}

std::shared_ptr<const void> HttpReader::take_message() {
  is_out_ = is_head_out_ = false;
  return std::shared_ptr<Parser>(std::move(parser_));
}

// Parses a whole head at once, so that the result does not depend on how the bytes are divided.
std::optional<HttpReader::Event> HttpReader::parse_head(std::string_view bytes, size_t& pos) {
  std::string_view from = bytes.substr(pos, kHeadBytesMax + kHeadEnd.size());
  const size_t pending = pending_.size();
  if (pending > 0) from = pending_.append(from);
  const size_t end = from.find(kHeadEnd, pending - std::min(pending, kHeadEnd.size() - 1));
  if (std::min(end, from.size()) > kHeadBytesMax) return fail(431, "a head of more than 8 KiB");
  if (end == std::string_view::npos) return keep(from, bytes, pos);
  const std::string_view head = from.substr(0, end + kHeadEnd.size());
  size_t parsed = 0;
  if (const auto fault = put(head, parsed)) return fault;
  if (!parser_->beast.is_header_done()) return fail(400, "a head that ends too early");
  pos += head.size() - pending;
  forget(pending_);
  is_head_out_ = true;
  if (!is_too_large()) parser_->beast.body_limit(body_bytes_max_);
  return judge_head();
}

// One step of the parser. Empty: call it again.
std::optional<HttpReader::Event> HttpReader::parse_body(std::string_view bytes, size_t& pos) {
  // Beast gets at most one line's length of a chunked body at once, so that the result does not
  // depend on how the bytes are divided.
  const size_t pending = pending_.size();
  const bool is_chunked = parser_->beast.chunked();
  std::string_view from =
      bytes.substr(pos, is_chunked ? kPendingBytesMax + 1 - pending : bytes.npos);
  if (pending > 0) from = pending_.append(from);
  if (pending > 0 && from.front() == kLastChunk.front() && from.size() < kLastChunk.size()) {
    return keep(from, bytes, pos);
  }
  size_t parsed = 0;
  if (const auto fault = put(from, parsed)) return fault;
  if (parsed == 0) return keep(from, bytes, pos);
  RM_ASSERT(parsed >= pending);  // the pending bytes alone could not be parsed
  pos += parsed - pending;
  forget(pending_);
  return std::nullopt;
}

// Gives bytes to the parser. Empty: the parsed bytes are valid.
std::optional<HttpReader::Event> HttpReader::put(std::string_view bytes, size_t& parsed) {
  error_code error;
  parsed = parser_->beast.put({bytes.data(), bytes.size()}, error);
  if (error == http::error::body_limit) return end(Event::kTooLarge);
  if (!error || error == http::error::need_more) return std::nullopt;
  return fail(error == http::error::bad_version ? 505 : 400, error.message());
}

bool HttpReader::is_complete() const {
  return !end_ && !is_out_ && is_head_out_ && parser_->beast.is_done();
}

bool HttpReader::is_too_large() const {
  return !end_ && !is_out_ && is_head_out_ &&
         parser_->beast.content_length().value_or(0) > body_bytes_max_;
}

// Takes all bytes, and keeps `from`, the beginning of a line or head, in pending_.
std::optional<HttpReader::Event> HttpReader::keep(std::string_view from, std::string_view bytes,
                                                  size_t& pos) {
  pos = bytes.size();
  pending_ = from;
  if (pending_.size() > kPendingBytesMax) return fail(400, "a line that is too long");
  return std::nullopt;
}

HttpReader::Event HttpReader::fail(unsigned status, std::string why) {
  fault_ = {status, std::move(why)};
  return end(Event::kBad);
}

HttpReader::Event HttpReader::end(Event event) {
  parser_.reset();
  forget(pending_);
  end_ = event;
  return event;
}

std::optional<HttpReader::Event> HttpReader::judge_head() {
  const auto& head = parser_->beast.get();
  if (std::distance(head.begin(), head.end()) > kFieldsMax) {
    return fail(431, fmt::format("a head of more than {} fields", kFieldsMax));
  }
  const auto hosts = head.count(http::field::host);
  if (hosts > 1 || (hosts == 0 && head.version() >= 11)) {
    return fail(400, "expected one Host field, found " + std::to_string(hosts));
  }
  if (hosts == 1 && !is_http_host(field("Host"))) {
    return fail(400, "expected a name or an address, with or without a port, as Host");
  }
  // RFC 9112 6.1: HTTP/1.0 has no transfer codings, so a proxy may see another end of the body.
  if (head.count(http::field::transfer_encoding) > 0 && is_1_0()) {
    return fail(400, "a transfer coding in HTTP/1.0");
  }
  // Beast ignores an unknown coding, and would read the body as a request.
  if (head.count(http::field::transfer_encoding) > 0 && !parser_->beast.chunked()) {
    return fail(501, "a transfer coding other than chunked");
  }
  return Event::kHead;
}

std::string_view HttpReader::method() const {
  return view_of(parser_->beast.get().method_string());
}

std::string_view HttpReader::field(std::string_view name) const {
  return view_of(parser_->beast.get()[{name.data(), name.size()}]);
}

std::string_view HttpReader::target() const {
  return view_of(parser_->beast.get().target());
}

bool HttpReader::keep_alive() const {
  return parser_->beast.keep_alive();
}

bool HttpReader::is_1_0() const {
  return parser_->beast.get().version() < 11;
}

bool HttpReader::expects_continue() const {
  const auto& head = parser_->beast.get();
  return !is_1_0() && !parser_->beast.is_done() && !is_too_large() &&
         boost::beast::iequals(head[http::field::expect], "100-continue");
}

std::string_view HttpReader::body() const {
  return parser_->beast.get().body();
}

size_t HttpReader::buffered_bytes() const {
  if (parser_ == nullptr) return 0;
  // The head counts with its largest size.
  return pending_.size() + kHeadBytesMax + kFieldsMax * kFieldBytes +
         parser_->beast.get().body().capacity();
}

}  // namespace ringmaster::rpc
