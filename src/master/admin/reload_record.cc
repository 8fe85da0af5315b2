#include "master/admin/reload_record.h"

#include <fmt/format.h>
#include <utility>

#include "base/json/scan.h"

namespace ringmaster::master {

void ReloadRecord::end(uint32_t generation, int64_t unix_s, std::string failure) {
  failure_ = std::move(failure);
  if (ended_.size() == kKept) ended_.pop_front();
  ended_.push_back({begun_, generation, unix_s, failure_.substr(0, kReasonBytesMax)});
}

std::string ReloadRecord::to_json(int pid, std::string_view configuration,
                                  std::string_view state) const {
  std::string ended;
  for (const Ended& one : ended_) {
    ended += fmt::format(R"({}{{"reload":{},"ok":{},"generation":{},"unix_s":{})",
                         ended.empty() ? "" : ",", one.number, one.reason.empty(), one.generation,
                         one.unix_s);
    if (!one.reason.empty()) ended += ",\"reason\":" + json::quote(one.reason);
    ended += '}';
  }
  return fmt::format(R"({{"pid":{},"configuration":{},"state":"{}","begun":{},"ended":[{}]}})", pid,
                     json::quote(configuration), state, begun_, ended);
}

}  // namespace ringmaster::master
