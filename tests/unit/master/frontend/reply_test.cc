#include "master/frontend/reply.h"

#include <doctest/doctest.h>

using namespace ringmaster;
using master::Reply;

namespace {

rpc::Error refusal(uint64_t retry_after_ms) {
  rpc::Error error = rpc::make_error(rpc::kOverloaded, "queue_full", "full");
  error.retry_after_ms = retry_after_ms;
  return error;
}

}  // namespace

TEST_CASE("reply: a batch is complete with its last answer, and in the order of its requests") {
  Reply reply(true, std::nullopt);
  const auto first = reply.open();
  const auto second = reply.open();
  int64_t held_bytes = reply.add_result(second, rpc::Version::k2, "2", "true");
  CHECK(held_bytes > 0);
  reply.close();
  CHECK(!reply.is_complete());
  held_bytes += reply.add_result(first, rpc::Version::k2, "1", "false");
  CHECK(reply.is_complete());
  CHECK(held_bytes == reply.held_bytes());
  CHECK(reply.take_text() == R"([{"jsonrpc":"2.0","id":1,"result":false},)"
                             R"({"jsonrpc":"2.0","id":2,"result":true}])");
  CHECK(reply.held_bytes() == 0);
}

TEST_CASE("reply: answers that come while a batch's requests begin do not complete it") {
  Reply reply(true, std::nullopt);
  reply.add_result(reply.open(), rpc::Version::k2, "1", "true");
  CHECK(!reply.is_complete());
  const auto later = reply.open();
  reply.close();
  CHECK(!reply.is_complete());
  reply.add_result(later, rpc::Version::k2, "2", "true");
  CHECK(reply.is_complete());
}

TEST_CASE("reply: a batch of notifications has no text") {
  Reply reply(true, std::nullopt);
  reply.count_error(refusal(0));
  reply.close();
  CHECK(reply.is_complete());
  CHECK(reply.take_text().empty());
}

TEST_CASE("reply: it is refused only if each answer was a refusal, and then has the longest wait") {
  Reply reply(true, std::nullopt);
  CHECK(!reply.is_refused());
  reply.add_error(reply.open(), rpc::Version::k2, "1", refusal(1001));
  reply.count_error(refusal(0));
  CHECK(reply.is_refused());
  CHECK(reply.retry_after_s() == 2);
  reply.add_result(reply.open(), rpc::Version::k2, "2", "true");
  CHECK(!reply.is_refused());
}

TEST_CASE("reply: an error of a request that may have run is no refusal") {
  Reply reply(false, std::nullopt);
  rpc::Error error = rpc::make_error(rpc::kShuttingDown, "shutting_down", "stopped");
  error.executed = rpc::Executed::kUnknown;
  reply.add_error(reply.open(), rpc::Version::k2, "1", error);
  CHECK(!reply.is_refused());
}
