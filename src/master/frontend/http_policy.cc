#include "master/frontend/http_policy.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "base/ascii.h"
#include "base/traceparent.h"
#include "rpc/json_rpc.h"

namespace ringmaster::master {
namespace {

constexpr std::string_view kContentTypes[] = {"application/json", "application/json-rpc",
                                              "application/jsonrequest",
                                              "application/json-request"};

// application/json; a charset, if given, must be UTF-8.
bool is_json(std::string_view content_type) {
  const std::string lowered = to_lower(content_type);
  const std::string_view all = lowered;
  const std::string_view type = trim(all.substr(0, all.find(';')));
  if (std::find(std::begin(kContentTypes), std::end(kContentTypes), type) ==
      std::end(kContentTypes)) {
    return false;
  }
  const size_t charset = all.find("charset=");
  return charset == std::string_view::npos || all.find("utf-8", charset) == charset + 8 ||
         all.find("\"utf-8\"", charset) == charset + 8 || all.find("utf8", charset) == charset + 8;
}

bool is_granted(std::string_view origin, const std::vector<std::string>& origins) {
  return std::any_of(origins.begin(), origins.end(),
                     [&](const std::string& one) { return one == "*" || one == origin; });
}

// The part of a request that an error quotes. JSON may escape one byte as six characters.
std::string_view shown(std::string_view text) {
  return text.substr(0, 100);
}

}  // namespace

HttpVerdict judge_page(const rpc::HttpReader& head, const std::vector<std::string>& origins) {
  HttpVerdict verdict;
  verdict.must_say_kept = head.is_1_0() && head.keep_alive();
  verdict.origin = head.field("Origin");
  if (!verdict.origin.empty() && !is_granted(verdict.origin, origins)) {
    return {403,
            fmt::format("origin {} is not allowed: see listen.origins", shown(verdict.origin))};
  }
  if (head.method() == "OPTIONS" && !verdict.origin.empty()) {
    if (!head.is_complete()) return {413, "expected an OPTIONS request without a body"};
    verdict.status = 204;
  }
  return verdict;
}

HttpVerdict judge_request(const rpc::HttpReader& head, HttpVerdict verdict) {
  if (head.method() != "POST") {
    return {405, fmt::format("expected POST, found {}", shown(head.method()))};
  }
  const std::string_view type = head.field("Content-Type");
  if (!is_json(type)) {
    return {415, fmt::format("expected Content-Type: application/json, found \"{}\"", shown(type))};
  }
  const std::string_view coding = head.field("Content-Encoding");
  if (!coding.empty() && !iequals(coding, "identity")) {
    return {415, fmt::format("expected no Content-Encoding, found {}", shown(coding))};
  }
  if (const std::string_view text = head.field("X-Request-Timeout-Ms"); !text.empty()) {
    verdict.timeout_ms = rpc::parse_timeout(text);
    if (!verdict.timeout_ms) {
      return {400, fmt::format("expected a non-negative integer as X-Request-Timeout-Ms, found {}",
                               shown(text))};
    }
  }
  const std::string_view traceparent = head.field("traceparent");
  if (is_traceparent(traceparent)) verdict.traceparent = traceparent;
  return verdict;
}

std::string_view token_of(const rpc::HttpReader& head) {
  constexpr std::string_view kScheme = "Bearer ";
  const std::string_view field = head.field("Authorization");
  if (!iequals(field.substr(0, kScheme.size()), kScheme)) return {};
  return trim(field.substr(kScheme.size()));
}

std::vector<rpc::HttpField> fields_of(const HttpVerdict& verdict) {
  std::vector<rpc::HttpField> fields;
  if (verdict.status == 401) fields.emplace_back("WWW-Authenticate", "Bearer");
  if (verdict.must_say_kept) fields.emplace_back("Connection", "keep-alive");
  if (verdict.status == 405) fields.emplace_back("Allow", "POST, OPTIONS");
  if (!verdict.origin.empty()) {
    fields.emplace_back("Access-Control-Allow-Origin", verdict.origin);
    fields.emplace_back("Vary", "Origin");
  }
  if (verdict.status == 204) {
    fields.emplace_back("Access-Control-Allow-Methods", "POST");
    fields.emplace_back("Access-Control-Allow-Headers",
                        "Content-Type, Authorization, X-Request-Timeout-Ms, traceparent");
    fields.emplace_back("Access-Control-Max-Age", "600");
  }
  return fields;
}

}  // namespace ringmaster::master
