#include "demo/feature_service/answer.h"

#include <fmt/format.h>

#include "base/json/scan.h"
#include "demo/categories.h"

namespace ringmaster::feature_service {

bool EventList::append_piece(std::string& out, size_t size) {
  const size_t enough = out.size() + size;
  if (!has_begun_) {
    fmt::format_to(std::back_inserter(out), "{{\"user_id\":{},\"events\":[", user_id_);
    has_begun_ = true;
    ahead_ = events_.next();
  }
  while (ahead_ && out.size() < enough) {
    out += "{\"category\":\"";
    out += kCategories[ahead_->category];
    out += "\",\"ts\":";
    const fmt::format_int ts(ahead_->ts);
    out.append(ts.data(), ts.size());
    ahead_ = events_.next();
    out += ahead_ ? "}," : "}";
  }
  if (ahead_) return true;
  out += "]}";
  return false;
}

bool Answer::append_piece(std::string& out, size_t size) {
  if (events) return events->append_piece(out, size);
  out += text;
  return false;
}

Answer error_answer(unsigned status, const std::string& what) {
  Answer answer;
  answer.status = status;
  answer.text = fmt::format("{{\"error\":{}}}", json::quote(what));
  return answer;
}

}  // namespace ringmaster::feature_service
