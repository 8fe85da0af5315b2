// Problems: what is wrong with a configuration file, collected rather than thrown, so that one run
// tells everything. Reading a value either yields it or adds a problem and goes on.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/keys.h"
#include "config/problem.h"
#include "config/value.h"

namespace ringmaster::config {

// A value, with the name and the line that a problem with it is reported under.
struct Entry {
  std::string key;
  size_t line;
  const Value* value;

  Entry member(const Member& member) const;
  Entry item(size_t index) const;
};

// A number as people write it: 64MiB, 500 ms.
std::string in_unit(uint64_t number, Unit unit);

class Problems {
 public:
  explicit Problems(std::string file) : file_(std::move(file)) {}

  void add(size_t line, std::string key, std::string message);
  void add(const Entry& entry, std::string message);
  void add_unknown(const Entry& entry, std::string_view what, std::string_view name,
                   std::span<const std::string_view> known);

  // Whether the value is of that kind; `expected` says what should be there ("an array of steps").
  bool expect(const Entry& entry, Kind kind, std::string_view expected);
  // Whether there is something in a string or key. NUL bytes are refused: they would end it early
  // in the system's calls, on the way to the fork server and in handlers.
  bool expect_text(const Entry& entry, std::string_view text, std::string_view expected);
  // A string of which that is true.
  std::optional<std::string> read_text(const Entry& entry, std::string_view expected);
  std::optional<uint64_t> read_number(const Entry& entry, Unit unit, uint64_t min, uint64_t max);

  size_t count() const { return problems_.size(); }
  // All of them, in the order of the lines.
  std::vector<Problem> take();

 private:
  std::string file_;
  std::vector<Problem> problems_;
};

// Reads a table by the keys it may have: numbers into `into`, others are given to
// `read_other(name, entry)`.
template <class T, size_t N, class ReadOther>
void read_table(Problems& problems, const Entry& table, const Key<T> (&keys)[N], T& into,
                ReadOther read_other) {
  if (!problems.expect(table, Kind::kTable, "a table")) return;
  for (const Member& member : table.value->members) {
    const Entry entry = table.member(member);
    const Key<T>* key = nullptr;
    std::vector<std::string_view> names;
    for (const Key<T>& one : keys) {
      names.push_back(one.name);
      if (one.name == member.key) key = &one;
    }
    if (key == nullptr) {
      problems.add_unknown(entry, "key", member.key, names);
    } else if (key->member != nullptr) {
      const auto number = problems.read_number(entry, key->unit, key->min, key->max);
      if (number) into.*key->member = *number;
    } else {
      read_other(key->name, entry);
    }
  }
}

}  // namespace ringmaster::config
