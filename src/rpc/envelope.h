// Envelope: the members of one request object, noted during the scan and checked at its end.
//
// json_rpc.cc reports the keys and values one, two and three levels below the object. One Envelope
// serves all items of a batch.
// Memory:  points into the message; allocates nothing but a long method name and an error's text.
// Limits:  kMaxOtherMembers unknown members, so that the search for duplicates stays cheap.
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

// The most invalid items of a batch. Each gets an error, which may have a hundred times the bytes
// of its item. A batch with more invalid items gets one error.
inline constexpr size_t kMaxInvalidItems = 64;

// The errors -32700 and -32600. `what`: what was expected and what was found.
Error parse_error(const std::string& what);
Error invalid_request(const std::string& what);

class Envelope {
 public:
  // Clears everything for the next object.
  void clear();

  // `level` is the depth below the request object: 1 for its members, at most kLevelMax.
  static constexpr size_t kLevelMax = 3;
  void key(std::string_view text, size_t level);
  void value(const json::Value& value, size_t level);

  // Call when the object is complete. Returns the request, with an error if it is invalid. Returns
  // nothing for an error response with the id null, which must not be answered: two servers like
  // this one would answer each other for ever.
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
  // Sets the request's fields that params._meta has. Returns an error if one of these is invalid.
  std::optional<Error> take_meta(Request& request) const;

  Found found_[kKnownMembers];
  Member member_ = kOther;  // of the next value
  std::optional<Member> duplicate_;
  // Hashes are enough: two keys collide only in a request that was made for it.
  std::array<size_t, kMaxOtherMembers> other_hashes_;
  size_t other_count_ = 0;
  std::string method_;
  bool is_version_2_ = false;
  size_t params_count_ = 0;
  Found last_param_;
  bool is_in_meta_ = false;  // in params._meta
  // The next value is this member of params._meta; kNoMeta: none of these.
  enum Meta : uint8_t { kTimeout, kCost, kQuote, kTraceparent, kNoMeta };
  static constexpr std::string_view kMetaNames[] = {"timeout_ms", "cost", "quote", "traceparent"};
  Meta at_meta_ = kNoMeta;
  Found meta_[kNoMeta];
};

}  // namespace ringmaster::rpc
