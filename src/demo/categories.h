// The 17 page categories of the MSNBC data, in the order of the data. A category's index here is
// also its index in the feature vector and among the model's classes. The data files count from 1.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace ringmaster {

inline constexpr size_t kCategoryCount = 17;

inline constexpr std::array<std::string_view, kCategoryCount> kCategories = {
    "frontpage",  "news",    "tech",     "local",  "opinion", "on-air",
    "misc",       "weather", "msn-news", "health", "living",  "business",
    "msn-sports", "sports",  "summary",  "bbs",    "travel"};

}  // namespace ringmaster
