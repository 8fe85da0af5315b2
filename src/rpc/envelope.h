// Envelope: what stands in one request object, noted during the scan and judged at its end.
//
// Driven by json_rpc.cc, which tells it of the keys and values one, two and three levels below the
// object; deeper ones do not concern it. One Envelope is used for all items of a batch.
// Memory:  points into the message; allocates nothing but a long method name and an error's text.
// Limits:  kMaxOtherMembers that JSON-RPC does not know, so that telling duplicates stays cheap.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/json/scan.h"
#include "rpc/json_rpc.h"

namespace ringmaster::rpc {

inline constexpr size_t kMaxOtherMembers = 64;

// Of a batch, so many items may be no requests. Each of them is answered, with a hundred times its
// bytes where it is short: a batch of more is answered with one error.
inline constexpr size_t kMaxInvalidItems = 64;

// -32700 and -32600, as every fault of a message is reported. `what`: expected and found.
Error parse_error(const std::string& what);
Error invalid_request(const std::string& what);

class Envelope {
 public:
  // Forgets all: another object begins.
  void clear();

  // `level` is the depth below the request object: 1 for its members. Deeper ones than kLevelMax do
  // not matter.
  static constexpr size_t kLevelMax = 3;
  void key(std::string_view text, size_t level);
  void value(const json::Value& value, size_t level);

  // The object is complete: the request that it is, with an error where it is none. Nothing where
  // no answer may be given: an error response to nobody, which our own answer to it would provoke
  // again, for ever, if the peer is a server like us.
  std::optional<Request> judge();

 private:
  enum Member : uint8_t { kJsonrpc, kMethod, kParams, kId, kResult, kError, kOther };
  static constexpr size_t kKnownMembers = kOther;

  struct Found {
    json::Kind kind = json::Kind::kNull;
    std::string_view raw;  // empty: absent

    bool is_present() const { return !raw.empty(); }
    bool is(json::Kind k) const { return is_present() && kind == k; }
  };

  static Member member_of(std::string_view key);
  const Found& at(Member member) const { return found_[member]; }
  std::string found(Member member) const;
  void note_other(std::string_view key);
  bool is_version_1() const;
  std::optional<Error> find_fault() const;
  std::optional<Error> find_timeout(std::optional<uint64_t>& timeout_ms) const;

  Found found_[kKnownMembers];
  Member member_ = kOther;  // whose value comes next
  std::optional<Member> duplicate_;
  // Hashes are enough: only a request made to that end has two keys of the same one.
  std::array<size_t, kMaxOtherMembers> other_hashes_;
  size_t other_count_ = 0;
  std::string method_;
  bool is_version_2_ = false;
  size_t params_count_ = 0;
  Found last_param_;
  bool is_in_meta_ = false;     // in params._meta
  bool is_at_timeout_ = false;  // the next value is params._meta.timeout_ms
  Found timeout_;
};

}  // namespace ringmaster::rpc
