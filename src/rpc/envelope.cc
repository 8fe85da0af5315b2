#include "rpc/envelope.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/traceparent.h"

namespace ringmaster::rpc {
namespace {

using json::Kind;

constexpr std::string_view kNames[] = {"jsonrpc", "method", "params", "id", "result", "error"};

// The beginning of a value, for an error message; not cut inside a character.
std::string excerpt(std::string_view raw) {
  constexpr size_t kExcerptBytes = 40;
  if (raw.size() <= kExcerptBytes) return std::string(raw);
  size_t size = kExcerptBytes;
  while ((raw[size] & 0xC0) == 0x80)
    --size;
  return std::string(raw.substr(0, size)) + "...";
}

bool is_usable_id(Kind kind, std::string_view raw) {
  const bool is_allowed = kind == Kind::kString || kind == Kind::kNumber || kind == Kind::kNull;
  return is_allowed && raw.size() <= kMaxIdBytes;
}

}  // namespace

Error parse_error(const std::string& what) {
  return make_error(kParseError, "parse_error", "Parse error: " + what);
}

Error invalid_request(const std::string& what) {
  return make_error(kInvalidRequest, "invalid_request", "Invalid Request: " + what);
}

void Envelope::clear() {
  for (Found& found : found_)
    found = {};
  member_ = kOther;
  duplicate_.reset();
  other_count_ = 0;
  method_.clear();
  is_version_2_ = false;
  params_count_ = 0;
  last_param_ = {};
  is_in_meta_ = false;
  at_meta_ = kNoMeta;
  for (Found& found : meta_)
    found = {};
}

Envelope::Member Envelope::member_of(std::string_view key) {
  return static_cast<Member>(std::find(std::begin(kNames), std::end(kNames), key) - kNames);
}

void Envelope::key(std::string_view text, size_t level) {
  if (level == 1) {
    member_ = member_of(text);
    is_in_meta_ = false;
    at_meta_ = kNoMeta;
    if (member_ == kOther) {
      note_other(text);
    } else if (at(member_).is_present()) {
      duplicate_ = duplicate_ == kId ? kId : member_;  // an ambiguous id is never echoed
    }
  } else if (level == 2) {
    is_in_meta_ = member_ == kParams && text == "_meta";
    at_meta_ = kNoMeta;
  } else if (level == 3) {
    const auto found = std::find(std::begin(kMetaNames), std::end(kMetaNames), text);
    at_meta_ = is_in_meta_ ? static_cast<Meta>(found - kMetaNames) : kNoMeta;
  }
}

void Envelope::value(const json::Value& value, size_t level) {
  if (level == 1 && member_ != kOther) {
    found_[member_] = {value.kind, value.raw};
    if (member_ == kJsonrpc) is_version_2_ = value.kind == Kind::kString && value.text == "2.0";
    if (member_ == kMethod) method_ = value.text;
  } else if (level == 2 && member_ == kParams) {
    ++params_count_;
    last_param_ = {value.kind, value.raw};
  } else if (level == 3 && at_meta_ != kNoMeta) {
    meta_[at_meta_] = {value.kind, value.raw};
  }
}

// The member's value in words, for an error message.
std::string Envelope::found(Member member) const {
  const Found& found = at(member);
  if (!found.is_present()) return "found none";
  if (found.kind == Kind::kObject || found.kind == Kind::kArray) {
    return "found " + std::string(json::name(found.kind));
  }
  return "found " + excerpt(found.raw);
}

void Envelope::note_other(std::string_view key) {
  const auto end = other_hashes_.begin() + std::min(other_count_, kMaxOtherMembers);
  const size_t hash = std::hash<std::string_view>{}(key);
  if (std::find(other_hashes_.begin(), end, hash) != end) duplicate_ = duplicate_.value_or(kOther);
  if (end != other_hashes_.end()) *end = hash;
  ++other_count_;
}

// Whether the request is as Go's net/rpc/jsonrpc writes it.
bool Envelope::is_version_1() const {
  return !at(kJsonrpc).is_present() && at(kId).is_present() && at(kParams).is(Kind::kArray) &&
         params_count_ == 1;
}

std::optional<Error> Envelope::find_fault() const {
  if (duplicate_ == kOther) return invalid_request("expected each key once, found one twice");
  if (duplicate_) {
    return invalid_request("expected one member \"" + std::string(kNames[*duplicate_]) +
                           "\", found several");
  }
  if (other_count_ > kMaxOtherMembers) {
    return invalid_request("expected at most " + std::to_string(kMaxOtherMembers) +
                           " members that JSON-RPC does not know, found " +
                           std::to_string(other_count_));
  }
  const Found& id = at(kId);
  if (id.is_present() && !is_usable_id(id.kind, id.raw)) {
    return invalid_request("expected a string, a number or null of at most " +
                           std::to_string(kMaxIdBytes) + " bytes as \"id\", found " +
                           std::string(json::name(id.kind)) + " of " +
                           std::to_string(id.raw.size()) + " bytes");
  }
  if (!is_version_2_ && !is_version_1()) {
    return invalid_request("expected \"jsonrpc\": \"2.0\", " + found(kJsonrpc));
  }
  if (!at(kMethod).is(Kind::kString)) {
    return invalid_request("expected a string as \"method\", " + found(kMethod));
  }
  const Found& params = at(kParams);
  if (params.is_present() && !params.is(Kind::kObject) && !params.is(Kind::kArray) &&
      !params.is(Kind::kNull)) {
    return invalid_request("expected an object or an array as \"params\", " + found(kParams));
  }
  return {};
}

std::optional<Error> Envelope::take_meta(Request& request) const {
  const auto invalid = [](std::string_view expected, Meta member, const Found& found) {
    return make_error(kInvalidParams, "invalid_params",
                      "Invalid params: expected " + std::string(expected) + " as params._meta." +
                          std::string(kMetaNames[member]) + ", found " + excerpt(found.raw));
  };
  if (const Found& found = meta_[kTimeout]; found.is_present()) {
    request.timeout_ms = parse_timeout(found.raw);
    if (!request.timeout_ms) return invalid("a non-negative integer", kTimeout, found);
  }
  for (const Meta member : {kCost, kQuote}) {
    const Found& found = meta_[member];
    if (!found.is_present()) continue;
    if (found.kind != Kind::kBool) return invalid("true or false", member, found);
    (member == kCost ? request.asks_cost : request.asks_quote) = found.raw == "true";
  }
  if (const Found& found = meta_[kTraceparent]; found.is(Kind::kString)) {
    const std::string_view text = found.raw.substr(1, found.raw.size() - 2);  // without the quotes
    if (is_traceparent(text)) request.traceparent = text;
  }
  return {};
}

std::optional<Request> Envelope::judge() {
  Request request;
  const Found& id = at(kId);
  const bool is_response =
      !at(kMethod).is_present() && (at(kResult).is_present() || at(kError).is_present());
  if (is_response) {
    if (at(kError).is_present() && (!id.is_present() || id.is(Kind::kNull))) return {};
    request.error = invalid_request("expected a request, found a response");
    return request;
  }
  if (duplicate_ != kId && is_usable_id(id.kind, id.raw)) request.id = id.raw;
  request.version = is_version_1() ? Version::k1 : Version::k2;
  request.error = find_fault();
  if (request.error) return request;
  request.method = std::move(method_);
  if (!at(kParams).is(Kind::kNull)) request.params = at(kParams).raw;
  // Version 1 has no named parameters: Go's clients send a struct as the only parameter.
  const bool is_named = request.version == Version::k1 && last_param_.is(Kind::kObject);
  if (is_named) request.params = last_param_.raw;
  request.error = take_meta(request);
  return request;
}

}  // namespace ringmaster::rpc
