// HttpDate: the time as HTTP's responses say it (RFC 9110, 5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT".
//
// Pure: the time is an argument. English and GMT, whatever the locale and the time zone are.
// Memory: the text of the last second that was asked for: it is made once, and then handed out.
// Limits: years of four digits.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace ringmaster::rpc {

class HttpDate {
 public:
  // `unix_s`: seconds since 1970, as of CLOCK_REALTIME. Valid until it is asked for another one.
  std::string_view at(int64_t unix_s);

 private:
  int64_t made_for_s_ = INT64_MIN;
  std::array<char, 29> text_{};
};

}  // namespace ringmaster::rpc
