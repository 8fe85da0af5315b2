// Page: what the status port answers at one path.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace ringmaster::master {

struct PageRequest {
  std::string query;        // behind the '?'; always empty unless Page::uses_query
  bool wants_html = false;  // a browser asks
  bool is_late = false;     // the request has waited for AdminServer::kWaitNs
};

struct PageAnswer {
  unsigned status = 200;
  std::string text;
  std::string_view type = "text/plain; charset=utf-8";
  std::string_view content_security_policy = {};  // empty: none is sent
};

struct Page {
  // Empty: the answer is not there yet. The server asks again every AdminServer::kAgainMs, until
  // the request is late. REQUIRES: a late request is answered.
  std::function<std::optional<PageAnswer>(const PageRequest&)> answer;
  // Equal requests within this time get the same answer again, so that many clients cost no more
  // than one. 0: each request is answered anew. Answers that take long to make keep the master busy
  // for a part of its time only: see AdminServer::kRest.
  uint64_t kept_ms = 0;
  bool uses_query = false;
  bool is_long = false;  // all long pages rest together, as if they were one page
};

using Pages = std::map<std::string, Page, std::less<>>;  // by path

}  // namespace ringmaster::master
