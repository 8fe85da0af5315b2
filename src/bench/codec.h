// Codec: the client side of one protocol: writes requests, parses answers.
//
// Pure: no I/O. The protocols: JSON values, one a line, with any number of requests in flight,
// answered in any order; HTTP/1.1 POST, one request at a time on a connection, until the server
// ends the connection.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

namespace ringmaster::bench {

struct Answer {
  uint64_t number = 0;   // the request's id; 0: unreadable
  int32_t code = 0;      // 0: a result; else the error's code, or the HTTP status
  bool is_last = false;  // the server takes no further request on this connection
};

class Codec {
 public:
  using OnAnswer = std::function<void(const Answer&)>;

  virtual ~Codec() = default;
  virtual void append_request(std::string& out, std::string_view json) const = 0;
  // Fails when the bytes are not of this protocol.
  [[nodiscard]] virtual Status feed(std::string_view bytes, const OnAnswer& on_answer) = 0;
  virtual bool may_pipeline() const = 0;
};

std::unique_ptr<Codec> make_line_codec();
// `token`: sent with each request; empty: none.
std::unique_ptr<Codec> make_http_codec(const std::string& host, const std::string& path,
                                       const std::string& token = "");

// Parses one response object.
Answer read_answer(std::string_view json);

}  // namespace ringmaster::bench
