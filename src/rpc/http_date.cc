#include "rpc/http_date.h"

#include <ctime>
#include <fmt/format.h>

namespace ringmaster::rpc {
namespace {

constexpr std::string_view kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

}  // namespace

std::string_view HttpDate::at(int64_t unix_s) {
  if (unix_s != made_for_s_) {
    const time_t time = unix_s;
    tm utc{};
    ::gmtime_r(&time, &utc);
    fmt::format_to_n(text_.data(), text_.size(), "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
                     kDays[utc.tm_wday], utc.tm_mday, kMonths[utc.tm_mon], utc.tm_year + 1900,
                     utc.tm_hour, utc.tm_min, utc.tm_sec);
    made_for_s_ = unix_s;
  }
  return {text_.data(), text_.size()};
}

}  // namespace ringmaster::rpc
