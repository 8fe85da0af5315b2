#include "master/supervisor/function_names.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/assert.h"

namespace ringmaster::master {

std::vector<uint64_t> FunctionNames::ask(const std::vector<uint64_t>& functions) {
  RM_ASSERT(!is_asking());
  if (names_.size() > kNamesMax) names_.clear();
  for (const uint64_t function : functions) {
    if (asked_.size() < kAskedMax && !names_.contains(function)) asked_.push_back(function);
  }
  return asked_;
}

bool FunctionNames::on_answer(std::string_view names) {
  const auto count = static_cast<size_t>(std::ranges::count(names, '\0'));
  if (count != asked_.size() || !names.ends_with('\0')) return false;
  for (const uint64_t function : asked_) {
    const size_t end = names.find('\0');
    names_[function] = names.substr(0, end);
    names.remove_prefix(end + 1);
  }
  asked_.clear();
  return true;
}

std::string FunctionNames::name(uint64_t function) const {
  const auto found = names_.find(function);
  return found != names_.end() ? found->second : fmt::format("{:#x}", function);
}

}  // namespace ringmaster::master
