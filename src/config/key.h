// Key: what the tables of keys.h say of one key.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>

namespace ringmaster::config {

enum class Type {
  kCount,
  kMs,
  kBytes,        // an integer, or a string such as "64MiB"
  kCountOrAuto,  // "auto" is kept as 0
  // The types below are not numbers; the section's own code reads them. forms.cc says what each
  // looks like.
  kText,
  kAddress,
  kAddresses,
  kOrigins,
  kRanges,
  kOptionalPath,
  kFile,
  kUser,
  kOwner,  // a user or a group, or ""
  kMode,
  kSandbox,
  kFairBy,
  kAccess,
  kWeights,
  kUrl,  // required
  kRedirects,
  kHttpVersion,
  kOptionalUrl,
  kLibrary,  // by default the handler's own name
  kPython,
  kSteps,  // required
  kName,
  kBody,
  kPath,
  kQuery,
  kFields,
  kHttpMethod,
  kParallel,
  kHedge,
  kFlag,
  kCache,
};

constexpr bool is_required(Type type) {
  return type == Type::kUrl || type == Type::kSteps;
}

template <class T>
struct Key {
  std::string_view name;
  std::string_view meaning;  // what it is, and when to change it
  Type type;
  uint64_t min = 0;
  uint64_t max = 0;
  uint64_t T::*member = nullptr;  // if the key is a number
};

// One table, such as [limits], or any number of tables, such as [upstreams.NAME].
struct Section {
  std::string_view name;
  std::string_view meaning;
  bool is_named = false;
  bool is_open = false;  // whether it may have further keys
};

inline constexpr uint64_t kKiB = 1024;
inline constexpr uint64_t kMiB = 1024 * kKiB;
inline constexpr uint64_t kGiB = 1024 * kMiB;
inline constexpr uint64_t kNoLimit = std::numeric_limits<int64_t>::max();  // TOML's largest integer
inline constexpr uint64_t kHourMs = 3600 * 1000;

}  // namespace ringmaster::config
