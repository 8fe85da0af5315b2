// The 17 page categories, in the order of the MSNBC data. In memory a category is its place in this
// list, from 0; the data's files count from 1.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace ringmaster::feature_service {

inline constexpr size_t kCategoryCount = 17;

inline constexpr std::array<std::string_view, kCategoryCount> kCategories = {
    "frontpage",  "news",    "tech",     "local",  "opinion", "on-air",
    "misc",       "weather", "msn-news", "health", "living",  "business",
    "msn-sports", "sports",  "summary",  "bbs",    "travel"};

}  // namespace ringmaster::feature_service
