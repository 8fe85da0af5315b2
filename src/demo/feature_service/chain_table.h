// The built-in users' distribution: a first-order Markov chain over page categories.
//
// Source: all 800,000 sequences of sessions.seq.gz (3,802,006 pages): "MSNBC.com Anonymous Web
//         Data" (D. Heckerman), UCI Machine Learning Repository, CC BY 4.0.
// Method: kFirst[c] is how often a sequence begins with category c; kNext[a][b] how often page a is
//         followed by page b. Each row is scaled to parts per 10,000 and rounded by largest
//         remainder, so that it sums to 10,000 exactly. kLengths is how often a sequence has a
//         number of pages, in parts per 100,000: an entry for each number up to 20, then ranges, in
//         which every length is equally likely. The few beyond 500 pages count as 500.
// Limits: lengths do not depend on categories, and a page depends only on the page before it.
#pragma once

#include <cstdint>

#include "demo/categories.h"

namespace ringmaster::feature_service {

inline constexpr uint32_t kRowSum = 10'000;
inline constexpr uint32_t kLengthSum = 100'000;

inline constexpr uint16_t kFirst[kCategoryCount] = {2801, 781, 672, 517, 43,  1646, 36, 726, 660,
                                                    129,  144, 573, 636, 543, 74,   4,  15};

// clang-format off
inline constexpr uint16_t kNext[kCategoryCount][kCategoryCount] = {
    {5537, 967, 312, 355, 113, 403, 369, 107,  43, 248, 357, 540,  21, 471,  78,  14,  65},
    {1283,6264, 307, 311,  85, 271, 178, 187,  69, 218,  97, 286,  13, 241, 166,   5,  19},
    {1313, 637,5558, 291, 110, 229,  59, 102, 382, 201, 239, 334,  57, 219, 216,   2,  51},
    { 678, 353, 116,7107,  47, 158, 679, 127, 231,  81,  80, 101,  70, 135,  27,   2,   8},
    { 420, 199,  61,  57,8572, 160,  24,  66,  98,  39,  56,  45,  12,  44, 125,  17,   5},
    { 670, 398, 220, 262, 106,5363,1360, 165, 283, 238, 105, 151, 102, 128, 428,  14,   7},
    { 856, 111,  29,1128,  11, 994,6068,  35, 249,  69,  15,  33, 271,  94,  32,   1,   4},
    { 172, 224,  42,  91,  26,  90,  70,8985,  84,  27,  26,  36,  51,  65,   8,   1,   2},
    { 703, 292, 367, 690, 199, 261, 651, 327,5613,  73, 143, 281, 349,  46,   3,   1,   1},
    {1095, 668, 258, 170,  76, 427, 181,  66, 107,6249, 141, 209,  14, 110, 205,   2,  22},
    {2549, 524, 242, 319, 199, 401,  84,  89, 163, 222,4134, 193,  42, 243, 195,   3, 398},
    {1358, 436, 286, 168,  49, 147,  79,  69, 276, 123,  90,6525,  46, 268,  62,   4,  14},
    { 180,  12,  38, 116,   6,  93, 528, 152, 234,   6,  19,  38,7438,1138,   1,   1,   0},
    { 830, 155,  81, 107,  17,  70, 108,  48,  47,  32,  43,  91, 309,8010,  27,  17,   8},
    { 813,1100, 532, 229, 541,1445, 455,  93,  44, 632, 467, 247,  15, 289,3058,   7,  33},
    { 290,  94,  14,  21,  56, 118,  11,   6,   7,  20,   8,  24,   5, 178,  19,9128,   1},
    {2729, 574, 276, 250, 137, 287, 394, 104,  54, 209,1217, 202,  13, 196, 107,   2,3249},
};
// clang-format on

// Of kLengthSum sequences, `share` have at most pages_max pages, and more than the entry before.
struct LengthRange {
  uint16_t pages_max;
  uint32_t share;
};

inline constexpr LengthRange kLengths[] = {
    {1, 36953}, {2, 15522}, {3, 9863},  {4, 7059},  {5, 5683},  {6, 4446}, {7, 3436},
    {8, 2746},  {9, 2192},  {10, 1786}, {11, 1434}, {12, 1200}, {13, 999}, {14, 861},
    {15, 705},  {16, 612},  {17, 510},  {18, 433},  {19, 373},  {20, 344}, {25, 1140},
    {30, 624},  {40, 559},  {60, 348},  {100, 122}, {200, 40},  {500, 10}};

}  // namespace ringmaster::feature_service
