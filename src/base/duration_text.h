// duration_text(): a time as people read it, in three digits or fewer: "3.98ms", "1.5s", "17m".
#pragma once

#include <cstdint>
#include <fmt/format.h>
#include <string>

namespace ringmaster {

inline std::string duration_text(double seconds) {
  if (seconds < 0.9995) return fmt::format("{:.3g}ms", seconds * 1000);
  if (seconds < 100) return fmt::format("{:.3g}s", seconds);
  const auto minutes = static_cast<uint64_t>(seconds / 60);
  if (minutes < 100) return fmt::format("{}m", minutes);
  const uint64_t hours = minutes / 60;
  return hours < 100 ? fmt::format("{}h", hours) : fmt::format("{}d", hours / 24);
}

}  // namespace ringmaster
