#include "bench/codec.h"

#include <charconv>
#include <fmt/format.h>
#include <limits>
#include <optional>

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "base/json/scan.h"
#include "rpc/framer.h"

namespace ringmaster::bench {
namespace {

namespace http = boost::beast::http;

constexpr int32_t kNoJsonRpc = std::numeric_limits<int32_t>::min();

template <class Number>
Number number_of(std::string_view text, Number otherwise) {
  Number number = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// The number between `before`, at the beginning of the text, and `behind`.
std::optional<uint64_t> number_between(std::string_view text, std::string_view before,
                                       std::string_view behind) {
  if (!text.starts_with(before)) return std::nullopt;
  const char* end = text.data() + text.size();
  uint64_t number = 0;
  const auto [stop, code] = std::from_chars(text.data() + before.size(), end, number);
  const std::string_view rest(stop, static_cast<size_t>(end - stop));
  if (code != std::errc{} || !rest.starts_with(behind)) return std::nullopt;
  return number;
}

class LineCodec final : public Codec {
 public:
  void append_request(std::string& out, std::string_view json) const override {
    out += json;
    out += '\n';
  }
  Status feed(std::string_view bytes, const OnAnswer& on_answer) override {
    framer_.feed(bytes);
    std::string_view message;
    for (;;) {
      switch (framer_.next(message)) {
        case rpc::Framer::Event::kMessage:
          on_answer(read_answer(message));
          break;
        case rpc::Framer::Event::kNeedMore:
          return {};
        default:
          return fail(ExitCode::kResource, "expected JSON values, found something else");
      }
    }
  }
  bool may_pipeline() const override { return true; }

 private:
  rpc::Framer framer_{std::numeric_limits<uint32_t>::max()};
};

class HttpCodec final : public Codec {
 public:
  HttpCodec(const std::string& host, const std::string& path, const std::string& token)
      : head_(fmt::format("POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n"
                          "{}Content-Length: ",
                          path, host,
                          token.empty() ? "" : "Authorization: Bearer " + token + "\r\n")) {}

  void append_request(std::string& out, std::string_view json) const override {
    fmt::format_to(std::back_inserter(out), "{}{}\r\n\r\n{}", head_, json.size(), json);
  }
  Status feed(std::string_view bytes, const OnAnswer& on_answer) override {
    rest_ += bytes;
    for (;;) {
      if (!parser_) {
        parser_.emplace();
        parser_->eager(true);
        parser_->body_limit(std::numeric_limits<uint64_t>::max());
      }
      boost::beast::error_code error;
      const size_t taken = parser_->put(boost::asio::buffer(rest_), error);
      rest_.erase(0, taken);
      if (error && error != http::error::need_more) {
        return fail(ExitCode::kResource, "expected HTTP responses: " + error.message());
      }
      const bool is_stuck = error == http::error::need_more || rest_.empty();
      if (!parser_->is_done() && is_stuck) return {};
      if (!parser_->is_done()) continue;  // stopped early, after the header, say
      const auto& response = parser_->get();
      Answer answer = read_answer(response.body());
      if (response.result_int() != 200) answer.code = static_cast<int32_t>(response.result_int());
      answer.is_last = !response.keep_alive();
      parser_.reset();
      on_answer(answer);
      if (rest_.empty()) return {};
    }
  }
  bool may_pipeline() const override { return false; }

 private:
  std::string head_;
  std::string rest_;
  std::optional<http::response_parser<http::string_body>> parser_;
};

}  // namespace

Answer read_answer(std::string_view json) {
  // Fast path: the form of most answers, without parsing the result.
  if (const auto number = number_between(json, R"({"jsonrpc":"2.0","id":)", R"(,"result":)")) {
    return {*number, 0};
  }
  const std::string paths[] = {"id", "result", "error", "error.code"};
  std::string_view found[std::size(paths)];
  json::find_members(json, paths, found);
  const auto& [id, result, error, code] = found;
  Answer answer{number_of<uint64_t>(id, 0), 0};
  const bool is_error = !error.empty() && error != "null";
  if (is_error || result.empty()) answer.code = number_of<int32_t>(code, kNoJsonRpc);
  return answer;
}

std::unique_ptr<Codec> make_line_codec() {
  return std::make_unique<LineCodec>();
}

std::unique_ptr<Codec> make_http_codec(const std::string& host, const std::string& path,
                                       const std::string& token) {
  return std::make_unique<HttpCodec>(host, path, token);
}

}  // namespace ringmaster::bench
