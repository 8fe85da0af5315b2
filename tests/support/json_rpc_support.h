// Shared by the tests of JSON-RPC: parsing one message.
#pragma once

#include <list>
#include <string>
#include <string_view>
#include <vector>

#include "base/json/scan.h"
#include "rpc/json_rpc.h"

namespace ringmaster::rpc {

inline constexpr size_t kBatchItems = 10;

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
