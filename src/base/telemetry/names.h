// Names: small numbers for texts, so that an event of fixed size can name a method or a client.
//
// Limits: `names_max` names of at most kNameBytesMax bytes. Further names are kOther, longer names
// are cut. A number is never given to another name: events of any age can be read.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

namespace ringmaster::telemetry {

class Names {
 public:
  static constexpr uint32_t kNone = 0;   // the empty name
  static constexpr uint32_t kOther = 1;  // "(other)": the table is full
  static constexpr size_t kNameBytesMax = 200;

  explicit Names(uint32_t names_max) : names_max_(names_max) {
    add("");
    add("(other)");
  }

  uint32_t id_of(std::string_view name) {
    name = name.substr(0, kNameBytesMax);
    const auto found = ids_.find(name);
    if (found != ids_.end()) return found->second;
    return names_.size() < names_max_ ? add(name) : kOther;
  }
  // kNone: the table does not have it.
  uint32_t find(std::string_view name) const {
    const auto found = ids_.find(name.substr(0, kNameBytesMax));
    return found == ids_.end() ? kNone : found->second;
  }
  // REQUIRES: `id` is of this table.
  const std::string& name_of(uint32_t id) const { return names_[id]; }

 private:
  uint32_t add(std::string_view name) {
    const auto id = static_cast<uint32_t>(names_.size());
    ids_.emplace(names_.emplace_back(name), id);
    return id;
  }

  const uint32_t names_max_;
  std::deque<std::string> names_;  // never moves its elements
  std::unordered_map<std::string_view, uint32_t> ids_;
};

}  // namespace ringmaster::telemetry
