// Problems: collects the faults in a configuration file, so that one run reports all. The read
// functions return a value, or add a problem and return nothing.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/key.h"
#include "config/problem.h"
#include "config/value.h"

namespace ringmaster::config {

// A value, with the name and the line for its problems.
struct Entry {
  std::string key;
  size_t line;
  const Value* value;

  Entry member(const Member& member) const;
  Entry item(size_t index) const;
  // Whether the value is "", which turns off some features.
  bool is_empty_text() const { return value->kind == Kind::kString && value->text.empty(); }
};

// The size in KiB, MiB or GiB: 64MiB. Empty: it is no whole number of KiB.
std::optional<std::string> size_in_unit(uint64_t bytes);
// A number as people write it: 64MiB, 500 ms.
std::string in_unit(uint64_t number, Type type);
// `"client" or "none"`; REQUIRES: two texts or more.
std::string choice_text(std::span<const std::string_view> texts);
// A range as people write it: `1 to 512, or "auto"`, `0 or more`.
std::string range_text(Type type, uint64_t min, uint64_t max);

class Problems {
 public:
  explicit Problems(std::string file) : file_(std::move(file)) {}

  void add(size_t line, std::string key, std::string message);
  void add(const Entry& entry, std::string message);
  void add_unknown(const Entry& entry, std::string_view what, std::string_view name,
                   std::span<const std::string_view> known);

  // Whether the value is of this kind; adds a problem if not. `expected`: such as "a table".
  bool expect(const Entry& entry, Kind kind, std::string_view expected);
  // Whether a string or key is not empty and has no NUL byte; adds a problem if not. A NUL would
  // end the text in system calls, control messages and handlers.
  bool expect_text(const Entry& entry, std::string_view text, std::string_view expected);
  // A string that passes expect_text().
  std::optional<std::string> read_text(const Entry& entry, std::string_view expected);
  // A string that must be one of `texts`, two or more: returns its index.
  std::optional<size_t> read_choice(const Entry& entry, std::span<const std::string_view> texts);
  void read_flag(const Entry& entry, bool& into);
  std::optional<uint64_t> read_number(const Entry& entry, Type type, uint64_t min, uint64_t max);

  size_t count() const { return problems_.size(); }
  // All problems, by line.
  std::vector<Problem> take();

 private:
  std::string file_;
  std::vector<Problem> problems_;
};

template <class T, size_t N>
const Key<T>* find_key(const Key<T> (&keys)[N], std::string_view name) {
  const Key<T>* const found =
      std::find_if(keys, keys + N, [&](auto& key) { return key.name == name; });
  return found == keys + N ? nullptr : found;
}

template <class T, size_t N>
std::vector<std::string_view> names_of(const Key<T> (&keys)[N]) {
  std::vector<std::string_view> names;
  for (const Key<T>& key : keys)
    names.push_back(key.name);
  return names;
}

template <class T>
void read_number(Problems& problems, const Entry& entry, const Key<T>& key, T& into) {
  const auto number = problems.read_number(entry, key.type, key.min, key.max);
  if (number) into.*key.member = *number;
}

// Reads a table with these keys: numbers into `into`, others by `read_other(name, entry)`.
template <class T, size_t N, class ReadOther>
void read_table(Problems& problems, const Entry& table, const Key<T> (&keys)[N], T& into,
                ReadOther read_other) {
  if (!problems.expect(table, Kind::kTable, "a table")) return;
  for (const Member& member : table.value->members) {
    const Entry entry = table.member(member);
    const Key<T>* const key = find_key(keys, member.key);
    if (key == nullptr) {
      problems.add_unknown(entry, "key", member.key, names_of(keys));
    } else if (key->member != nullptr) {
      read_number(problems, entry, *key, into);
    } else {
      read_other(key->name, entry);
    }
  }
}

}  // namespace ringmaster::config
