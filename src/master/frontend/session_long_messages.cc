// Session's long messages. A thread parses such a message. Its requests begin in several turns of
// the loop, since the params of each request are copied. The connection is not read until all have
// begun, so a session has one long message at most.
#include <utility>

#include "base/assert.h"
#include "base/clock.h"
#include "master/frontend/session.h"

namespace ringmaster::master {

struct Session::LongMessage {
  std::string_view text;
  std::shared_ptr<const void> bytes;  // keep the text valid
  std::optional<Reply::Http> http;
  size_t batch_items;  // the limit when the message came
  uint64_t charged_bytes = 0;
  std::shared_ptr<const rpc::Wanted> wanted = nullptr;  // by which it was parsed
  rpc::Message message = {};
  std::shared_ptr<Reply> reply = nullptr;
  size_t begun = 0;     // requests
  bool is_due = false;  // the next turn begins more of them
};

void Session::serve_long_message(std::string_view text, const std::optional<Reply::Http>& http) {
  static_assert(LongMessages::kBytesMin >= net::Connection::kReadBytesMax);
  std::shared_ptr<const void> bytes = connection_.take_message();
  RM_ASSERT(bytes != nullptr);  // the message came in more than one read
  long_message_.reset(new LongMessage{text, std::move(bytes), http, limits().batch_items});
  charge_long_message(text.size());
  update_hold();
  parse_later();
}

void Session::parse_later() {
  long_message_->wanted = shared_.wanted;
  const std::string_view text = long_message_->text;
  const auto on_parsed = [self = shared_from_this()](rpc::Message parsed) {
    self->on_parsed(std::move(parsed));
  };
  shared_.long_messages->parse({this, client(), text, long_message_->bytes,
                                long_message_->batch_items, shared_.wanted,
                                [this] { return !close_if_gone(); }, on_parsed});
}

void Session::on_parsed(rpc::Message message) {
  if (close_if_gone()) return;
  LongMessage& its = *long_message_;
  its.message = std::move(message);
  charge_long_message(its.text.size() + its.message.requests.capacity() * sizeof(rpc::Request));
  if (its.begun == 0) its.reply = reply_to(its.message, its.http);
  begin_some();
}

void Session::begin_some() {
  const std::shared_ptr<LongMessage> its = long_message_;  // also if the session is closed
  // After a reload, methods may want other members of their params.
  if (its->wanted != shared_.wanted && *its->wanted != *shared_.wanted) return parse_later();
  if (!may_begin(its->message, its->http)) {
    end_long_message();
    return finish_when_idle();
  }
  const auto& requests = its->message.requests;
  while (its->begun < requests.size()) {
    begin(requests[its->begun++], its->reply);
    if (is_closed()) return;
    if (its->begun < requests.size() && shared_.reading_turns.is_over(now_ns())) {
      its->is_due = true;
      return shared_.on_paused(shared_from_this());
    }
  }
  is_beginning_ = true;
  end_long_message();
  end_beginning(its->reply);
  if (!its->message.is_json()) connection_.reject_message();
}

uint64_t Session::long_message_bytes() const {
  return long_message_ == nullptr ? 0 : long_message_->charged_bytes;
}

void Session::charge_long_message(uint64_t bytes) {
  const uint64_t before = std::exchange(long_message_->charged_bytes, bytes);
  charge(static_cast<int64_t>(bytes) - static_cast<int64_t>(before));
}

void Session::end_long_message() {
  charge_long_message(0);
  long_message_.reset();
  shared_.awaited.erase(this);
  update_hold();
}

// While a long message is served, the connection is not read. So nothing else notices a reset.
bool Session::close_if_gone() {
  if (is_closed()) return true;
  if (connection_.has_failed()) connection_.abort();
  return is_closed();
}

void Session::await_served() {
  if (long_message_ != nullptr || connection_.is_paused()) shared_.awaited.insert(this);
}

void Session::go_on() {
  if (long_message_ != nullptr && std::exchange(long_message_->is_due, false) && !close_if_gone())
    begin_some();
  if (connection_.is_paused()) connection_.go_on();
  if (long_message_ == nullptr && !connection_.is_paused()) shared_.awaited.erase(this);
}

}  // namespace ringmaster::master
