// [fair]: which requests count as one client's, and how much each client weighs.
#include <fmt/format.h>

#include "config/sections.h"

namespace ringmaster::config {
namespace {

void read_weight(Problems& problems, const Entry& entry, const std::string& client, Fair& fair) {
  if (!problems.expect_text(entry, client, "the name of a client")) return;
  const Value& value = *entry.value;
  const double weight =
      value.kind == Kind::kInteger ? static_cast<double>(value.integer) : value.number;
  const bool is_number = value.kind == Kind::kInteger || value.kind == Kind::kFloat;
  if (is_number && weight >= kWeightMin && weight <= kWeightMax) {
    fair.weights[client] = weight;
  } else {
    problems.add(entry, fmt::format("expected a number from {} to {}, found {}", kWeightMin,
                                    kWeightMax, describe(value)));
  }
}

}  // namespace

void read_fair(Problems& problems, const Entry& section, Options& options) {
  const auto read = [&](std::string_view name, const Entry& entry) {
    if (name == "by") {
      options.fair.is_by_client = problems.read_choice(entry, kFairBy) == 0;
      return;
    }
    if (!problems.expect(entry, Kind::kTable, "a table such as { batch = 0.2 }")) return;
    for (const Member& member : entry.value->members)
      read_weight(problems, entry.member(member), member.key, options.fair);
  };
  read_table(problems, section, kFairKeys, options.fair, read);
}

}  // namespace ringmaster::config
