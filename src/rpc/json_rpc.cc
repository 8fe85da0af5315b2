#include "rpc/json_rpc.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/json/find_byte.h"
#include "base/json/scan.h"
#include "rpc/envelope.h"

namespace ringmaster::rpc {
namespace {

// Visits a message during its scan and collects its requests, up to the batch limit.
class Requests final : public json::Visitor {
 public:
  Requests(std::string_view message, size_t batch_items)
      : depth_max_(Envelope::kLevelMax + (begins_batch(message) ? 1 : 0)),
        batch_items_(batch_items) {}

  size_t depth_max() const override { return depth_max_; }

  void restart() override {
    requests_.clear();
    envelope_.clear();
    item_depth_ = item_count_ = invalid_count_ = 0;
  }

  void key(std::string_view text, size_t depth) override {
    if (is_counted_out()) return;
    envelope_.key(text, depth - item_depth_);
  }

  void enter(json::Kind kind, size_t depth) override {
    if (depth == 0 && kind == json::Kind::kArray) item_depth_ = 1;
  }

  void value(const json::Value& value) override {
    if (value.depth < item_depth_) return;
    if (value.depth > item_depth_) {
      if (!is_counted_out()) envelope_.value(value, value.depth - item_depth_);
      return;
    }
    ++item_count_;
    if (!is_counted_out()) end_item(value.kind);
  }

  Message finish(std::optional<std::string> fault) {
    if (fault) return refuse(parse_error(*fault));
    if (item_depth_ == 0) return {std::move(requests_), false};
    if (item_count_ == 0)
      return refuse(invalid_request("expected a request in the batch, found []"));
    if (item_count_ > batch_items_) return refuse(batch_too_large());
    if (is_invalid()) return refuse(too_many_invalid());
    return {std::move(requests_), true};
  }

 private:
  bool is_batch() const { return item_depth_ == 1; }
  // Items beyond the batch limit are only counted.
  bool is_counted_out() const { return is_batch() && item_count_ > batch_items_; }

  // With too many invalid items, further ones are not kept.
  bool is_invalid() const { return is_batch() && invalid_count_ > kMaxInvalidItems; }

  void end_item(json::Kind kind) {
    if (is_invalid()) return envelope_.clear();
    const size_t kept = requests_.size();
    if (kind == json::Kind::kObject) {
      if (auto request = envelope_.judge()) requests_.push_back(std::move(*request));
    } else {
      requests_.emplace_back().error =
          invalid_request("expected an object, found " + std::string(json::name(kind)));
    }
    envelope_.clear();
    if (requests_.size() == kept) return;
    const std::optional<Error>& error = requests_.back().error;
    if (error && error->code == kInvalidRequest) ++invalid_count_;
  }

  Error batch_too_large() const {
    Error error = make_error(kBatchTooLarge, "batch_too_large",
                             "Batch too large: expected at most " + std::to_string(batch_items_) +
                                 " requests (limits.batch_items), found " +
                                 std::to_string(item_count_) + "; split the batch");
    error.limit = batch_items_;
    return error;
  }

  static Error too_many_invalid() {
    Error error = invalid_request("expected at most " + std::to_string(kMaxInvalidItems) +
                                  " invalid items in a batch, found more; no item of this batch "
                                  "was executed");
    error.limit = kMaxInvalidItems;
    return error;
  }

  static Message refuse(Error error) {
    Message message;
    message.requests.emplace_back().error = std::move(error);
    return message;
  }

  static bool begins_batch(std::string_view message) {
    const size_t begin = message.find_first_not_of(" \t\r\n");
    return begin != std::string_view::npos && message[begin] == '[';
  }

  size_t depth_max_;
  size_t batch_items_;
  std::vector<Request> requests_;
  Envelope envelope_;
  size_t item_depth_ = 0;  // of the request objects: 1 in a batch
  size_t item_count_ = 0;
  size_t invalid_count_ = 0;
};

void append_id(std::string& out, std::string_view id) {
  out += id.empty() ? "null" : id;
}

const char* find_line_end(const char* at, const char* end) {
  return find_byte(at, end, [](auto c) { return c == '\n' || c == '\r'; });
}

// Appends JSON, with spaces in place of the raw newlines between its tokens.
void append_line(std::string& out, std::string_view json) {
  const size_t begin = out.size();
  out += json;
  const char* const end = out.data() + out.size();
  const char* at = out.data() + begin;
  while ((at = find_line_end(at, end)) != end)
    out[static_cast<size_t>(at - out.data())] = ' ';
}

void append_data(std::string& out, const Error& error) {
  out += R"({"reason":)";
  out += json::quote(error.reason);
  out += error.retryable ? R"(,"retryable":true)" : R"(,"retryable":false)";
  if (error.retry_after_ms) out += R"(,"retry_after_ms":)" + std::to_string(*error.retry_after_ms);
  out += error.executed == Executed::kNo ? R"(,"executed":false)" : R"(,"executed":"unknown")";
  if (error.limit) out += R"(,"limit":)" + std::to_string(*error.limit);
  if (!error.details.empty()) {
    out += R"(,"details":)";
    append_line(out, error.details);
  }
  out += '}';
}

}  // namespace

std::optional<uint64_t> parse_timeout(std::string_view digits) {
  const char* const end = digits.data() + digits.size();
  uint64_t ms = 0;
  const auto [stop, error] = std::from_chars(digits.data(), end, ms);
  if (stop != end || error == std::errc::invalid_argument) return std::nullopt;
  return error == std::errc{} ? std::min(ms, kMaxTimeoutMs) : kMaxTimeoutMs;
}

Message parse(std::string_view message, size_t batch_items, const Wanted& wanted) {
  Requests requests(message, batch_items);
  Message parsed = requests.finish(json::scan(message, requests));
  for (Request& request : parsed.requests) {
    const auto names = wanted.find(request.method);
    if (request.error || names == wanted.end()) continue;
    request.found.resize(names->second.size());
    json::find_members(request.params, names->second, request.found);
  }
  return parsed;
}

void begin_result(std::string& out, Version version, std::string_view id) {
  out += version == Version::k2 ? R"({"jsonrpc":"2.0","id":)" : R"({"id":)";
  append_id(out, id);
  out += R"(,"result":)";
}

std::string end_of_result(Version version, std::string_view meta) {
  if (version == Version::k1) return R"(,"error":null})";
  return meta.empty() ? "}" : R"(,"_meta":)" + std::string(meta) + "}";
}

bool is_one_line(std::string_view result) {
  const char* const end = result.data() + result.size();
  return find_line_end(result.data(), end) == end;
}

void append_result(std::string& out, Version version, std::string_view id, std::string_view result,
                   std::string_view meta) {
  begin_result(out, version, id);
  append_line(out, result);
  out += end_of_result(version, meta);
}

void append_error(std::string& out, Version version, std::string_view id, const Error& error,
                  std::string_view meta) {
  if (version == Version::k1) {
    out += R"({"id":)";
    append_id(out, id);
    out += R"(,"result":null,"error":)" + json::quote(error.message) + '}';
    return;
  }
  out += R"({"jsonrpc":"2.0","id":)";
  append_id(out, id);
  out += R"(,"error":{"code":)" + std::to_string(error.code);
  out += R"(,"message":)" + json::quote(error.message) + R"(,"data":)";
  append_data(out, error);
  out += '}';
  out += end_of_result(version, meta);
}

}  // namespace ringmaster::rpc
