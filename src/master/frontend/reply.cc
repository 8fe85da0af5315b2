#include "master/frontend/reply.h"

namespace ringmaster::master {

template <class Append>
int64_t Reply::add(ResponseQueue::Place place, Append append) {
  const int64_t was = held_bytes();
  const auto append_item = [&](std::string& out) {
    if (is_batch_) out += ',';
    append(out);
  };
  responses_.complete(place, append_item, answers_);
  return held_bytes() - was;
}

int64_t Reply::add_result(ResponseQueue::Place place, rpc::Version version, std::string_view id,
                          std::string_view result, std::string_view meta) {
  ++answered_;
  return add(place, [&](std::string& out) { rpc::append_result(out, version, id, result, meta); });
}

int64_t Reply::add_error(ResponseQueue::Place place, rpc::Version version, std::string_view id,
                         const rpc::Error& error, std::string_view meta) {
  count_error(error);
  return add(place, [&](std::string& out) { rpc::append_error(out, version, id, error, meta); });
}

void Reply::count_error(const rpc::Error& error) {
  ++answered_;
  if (error.code != rpc::kOverloaded && error.code != rpc::kShuttingDown) return;
  if (error.executed != rpc::Executed::kNo) return;
  ++refused_;
  retry_after_ms_ = std::max(retry_after_ms_, error.retry_after_ms.value_or(0));
}

std::string Reply::take_text() {
  if (is_batch_ && !answers_.empty()) {
    answers_.front() = '[';
    answers_ += ']';
  }
  return std::exchange(answers_, {});
}

}  // namespace ringmaster::master
