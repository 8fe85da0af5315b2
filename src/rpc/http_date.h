// HttpDate: the time in the format of HTTP (RFC 9110, 5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT".
//
// Pure: the time is an argument. English and GMT, in any locale and time zone.
// Memory: the text of the last second, formatted once.
// Limits: years of four digits.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace ringmaster::rpc {

class HttpDate {
 public:
  // `unix_s`: seconds since 1970, as of CLOCK_REALTIME. Valid until the next call.
  std::string_view at(int64_t unix_s);

 private:
  int64_t made_for_s_ = INT64_MIN;
  std::array<char, 29> text_{};
};

}  // namespace ringmaster::rpc
