// Parses HTTP/1.1 requests and writes responses, by Boost.Beast, which only the .cc includes. No
// I/O.
//
// Limits: 8 KiB of header, 1 MiB of body.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace ringmaster::feature_service {

struct Request {
  std::string method;
  std::string target;
  std::string body;
  std::string fault;  // X-Fault, or empty
  bool keep_alive = true;
  bool is_http_1_0 = false;
};

class RequestReader {
 public:
  enum class Step {
    kMore,      // needs more bytes
    kContinue,  // the client waits for a "100 Continue" before it sends the body
    kRequest,   // request() is complete
    kFault,     // not HTTP, or too large: answer fault_status(), fault_text(), then close
  };

  RequestReader();
  ~RequestReader();

  void append(std::string_view bytes) { input_.append(bytes); }

  // Goes on with the bytes appended so far. After kRequest, the next request's bytes.
  Step next();

  const Request& request() const { return request_; }
  unsigned fault_status() const { return fault_status_; }
  const std::string& fault_text() const { return fault_text_; }

  size_t waiting_bytes() const { return input_.size() - used_; }

 private:
  struct Parser;

  Step take_header();
  void take_request();
  void fail(unsigned status, std::string text);

  std::unique_ptr<Parser> parser_;
  std::string input_;
  size_t used_ = 0;  // bytes of input_ that the parser has read
  Request request_;
  unsigned fault_status_ = 0;
  std::string fault_text_;
};

inline constexpr std::string_view kContinueHead = "HTTP/1.1 100 Continue\r\n\r\n";
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

struct Head {
  unsigned status = 200;
  bool keep_alive = true;
  bool is_http_1_0 = false;
  std::optional<uint64_t> content_length{};  // none: chunked, or until the close in HTTP/1.0
};

std::string render_head(const Head& head);

// Appends `bytes` as one chunk of a chunked body. REQUIRES: not empty.
void append_chunk(std::string& out, std::string_view bytes);

}  // namespace ringmaster::feature_service
