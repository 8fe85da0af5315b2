// Shared by the tests of JSON-RPC: a server that answers a parsed message at once, and answers as
// text.
#pragma once

#include <list>
#include <string>
#include <string_view>
#include <vector>

#include "base/json/scan.h"
#include "rpc/json_rpc.h"

namespace ringmaster::rpc {

inline constexpr size_t kBatchItems = 10;

// A small server with the methods of the specification's examples.
inline void serve(std::string& out, const Request& request) {
  if (request.is_notification()) return;
  if (request.error) {
    append_error(out, request.version, request.id, *request.error);
  } else if (request.method == "subtract") {
    const bool swapped = request.params.find("subtrahend\": 42") != std::string_view::npos ||
                         request.params == "[23, 42]";
    append_result(out, request.version, request.id, swapped ? "-19" : "19");
  } else if (request.method == "sum") {
    append_result(out, request.version, request.id, "7");
  } else if (request.method == "get_data") {
    append_result(out, request.version, request.id, "[\"hello\", 5]");
  } else {
    Error error;
    error.code = kMethodNotFound;
    error.reason = "method_not_found";
    append_error(out, request.version, request.id, error);
  }
}

inline std::string answer(std::string_view text) {
  const Message message = parse(text, kBatchItems);
  std::string out;
  for (const Request& request : message.requests) {
    std::string one;
    serve(one, request);
    if (!one.empty()) out += (out.empty() ? "" : ",") + one;
  }
  return message.is_batch && !out.empty() ? "[" + out + "]" : out;
}

// The answers, each as "id:result" or "id:code", for comparison with the specification's.
inline std::string digest(std::string_view text) {
  const std::string out = answer(text);
  if (out.empty()) return "";
  CHECK(json::find_fault(out).value_or("") == "");
  std::string digested = out.front() == '[' ? "batch" : "single";
  const Message message = parse(text, kBatchItems);
  for (const Request& request : message.requests) {
    std::string one;
    serve(one, request);
    if (one.empty()) continue;
    CHECK(json::find_member(one, "jsonrpc") == "\"2.0\"");
    const auto code = json::find_member(one, "error.code");
    digested.append(" ").append(json::find_member(one, "id")).append(":");
    digested.append(code.empty() ? json::find_member(one, "result") : code);
  }
  return digested;
}

inline Request parse_one(std::string_view text) {
  static std::list<std::string> texts;  // requests point into them
  const Message message = parse(texts.emplace_back(text), kBatchItems);
  CHECK(!message.is_batch);
  REQUIRE(message.requests.size() == 1);
  return message.requests.front();
}

inline int32_t code_of(const Request& request) {
  return request.error ? request.error->code : 0;
}

inline std::string repeat(std::string_view text, size_t count) {
  std::string repeated;
  for (size_t i = 0; i < count; ++i)
    repeated += text;
  return repeated;
}

}  // namespace ringmaster::rpc
