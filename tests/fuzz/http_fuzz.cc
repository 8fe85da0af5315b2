// HTTP: the input is the bytes that a client sends after the word POST.
//
// In whatever pieces the stream arrives, the requests are the same. No field of a head has a line
// end, the policy has a verdict on each head, and the head of each answer can be parsed as HTTP.
#include <utility>

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

#include "cut.h"
#include "fuzz.h"
#include "master/frontend/http_policy.h"
#include "rpc/http_date.h"
#include "rpc/http_response.h"

namespace ringmaster {
namespace {

constexpr size_t kMessageBytesMax = 300;

// Parses the head of the answer as a client does: text of the request must not add fields to it.
void check_answer(const master::HttpVerdict& verdict) {
  namespace http = boost::beast::http;
  const std::vector<rpc::HttpField> fields = master::fields_of(verdict);
  const std::string head = rpc::http_head(verdict.status, 0, true, rpc::HttpDate().at(0), fields);
  http::response_parser<http::empty_body> parser;
  parser.header_limit(64 << 10);
  boost::system::error_code error;
  const size_t parsed = parser.put({head.data(), head.size()}, error);
  RM_ASSERT(!error && parsed == head.size() && parser.is_header_done());
  const auto& found = parser.get();
  RM_ASSERT(found.result_int() == verdict.status);
  RM_ASSERT(std::distance(found.begin(), found.end()) ==
            static_cast<std::ptrdiff_t>(fields.size() + 2));
}

void check_head(const rpc::HttpReader& head) {
  RM_ASSERT(!head.method().empty());
  for (const char* name : {"Host", "Origin", "Content-Type", "Authorization"})
    RM_ASSERT(head.field(name).find_first_of("\r\n") == std::string_view::npos);
  for (const auto& origins : {std::vector<std::string>{}, std::vector<std::string>{"*"}}) {
    master::HttpVerdict verdict = master::judge_page(head, origins);
    if (verdict.status == 200) verdict = master::judge_request(head, std::move(verdict));
    RM_ASSERT(verdict.status == 200 || verdict.status == 204 || !verdict.why.empty());
    check_answer(verdict);
  }
}

}  // namespace
}  // namespace ringmaster

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ringmaster;
  std::string stream = "POST ";
  stream += fuzz::text_of(data, size);
  const auto is_good = [](std::string_view) { return true; };
  const auto pieces =
      fuzz::cut(stream, kMessageBytesMax, fuzz::sizes_for(stream), is_good, check_head);
  RM_ASSERT(
      fuzz::are_same(pieces, fuzz::cut(stream, kMessageBytesMax, fuzz::whole(stream), is_good)));
  return 0;
}
