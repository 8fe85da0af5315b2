#include "base/nearest.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <random>
#include <string>
#include <vector>

namespace ringmaster {
namespace {

constexpr std::string_view kKeys[] = {"url", "timeout_ms", "connections", "body_bytes"};

size_t distance_by_table(const std::string& a, const std::string& b) {
  std::vector<std::vector<size_t>> table(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) {
    for (size_t j = 0; j <= b.size(); ++j) {
      size_t& cell = table[i][j];
      cell = i + j;
      if (i == 0 || j == 0) continue;
      cell = std::min({table[i - 1][j] + 1, table[i][j - 1] + 1,
                       table[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      const bool is_swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (is_swap) cell = std::min(cell, table[i - 2][j - 2] + 1);
    }
  }
  return table[a.size()][b.size()];
}

}  // namespace

TEST_CASE("nearest: distances are those of the classic table, cut at the limit") {
  std::mt19937 random(1);
  const auto word_of = [&](size_t size) {
    std::string word;
    for (size_t i = 0; i < size; ++i)
      word += static_cast<char>('a' + random() % 3);
    return word;
  };
  for (size_t round = 0; round < 2000; ++round) {
    const std::string a = word_of(random() % 65), b = word_of(random() % 80);
    const size_t distance = distance_by_table(a, b), limit = random() % 90;
    CAPTURE(a);
    CAPTURE(b);
    REQUIRE(EditDistance(a).to(b, limit) == std::min(distance, limit));
  }
}

TEST_CASE("nearest: a typing error finds the word that was meant") {
  CHECK(nearest("timeout_mss", kKeys) == "timeout_ms");
  CHECK(nearest("tiemout_ms", kKeys) == "timeout_ms");
  CHECK(nearest("conections", kKeys) == "connections");
  CHECK(nearest("ulr", kKeys) == "url");
  CHECK(nearest("url", kKeys) == "url");
}

TEST_CASE("nearest: a word that is far from all finds none") {
  CHECK(nearest("colour", kKeys).empty());
  CHECK(nearest("", kKeys).empty());
  CHECK(nearest("x", kKeys).empty());
  CHECK(nearest("timeout_ms", {}).empty());
}

TEST_CASE("nearest: a word is not compared with those that are much shorter or longer") {
  // A client may ask for a method of as many letters as a message can hold.
  const std::string endless(32 << 20, 't');
  CHECK(nearest(endless, kKeys).empty());
  const std::string_view known[] = {"url", endless};
  CHECK(nearest("ulr", known) == "url");
}

TEST_CASE("nearest: a word of more than 64 bytes is near to none") {
  const std::string longest(64, 'l'), longer(65, 'l');
  const std::string_view known[] = {longest};
  CHECK(nearest(longest.substr(1), known) == longest);
  CHECK(nearest(longest, known) == longest);
  CHECK(nearest(longer, known).empty());
}

TEST_CASE("nearest: a replacement of the whole word is not near") {
  constexpr std::string_view kShort[] = {"ab", "run"};
  CHECK(nearest("xy", kShort).empty());
  CHECK(nearest("ba", kShort) == "ab");
}

TEST_CASE("nearest: a beginning finds the word that it begins") {
  CHECK(nearest("timeout", kKeys) == "timeout_ms");
  CHECK(nearest("bod", kKeys) == "body_bytes");
  CHECK(nearest("bo", kKeys).empty());
}

TEST_CASE("nearest: of equally near words the first is taken, of others the nearest") {
  constexpr std::string_view kWords[] = {"cart", "card", "care"};
  CHECK(nearest("carx", kWords) == "cart");
  CHECK(nearest("card", kWords) == "card");
}

TEST_CASE("nearest: did_you_mean is empty where nothing is near") {
  CHECK(did_you_mean("urll", kKeys) == "; did you mean url?");
  CHECK(did_you_mean("something", kKeys).empty());
}

TEST_CASE("nearest: did_you_mean_or_known names all known words where nothing is near") {
  constexpr std::string_view kWords[] = {"url", "attempts"};
  CHECK(did_you_mean_or_known("urll", kWords) == "; did you mean url?");
  CHECK(did_you_mean_or_known("something", kWords) == "; known: url, attempts");
  CHECK(did_you_mean_or_known("something", {}) == "; known: none");
}

}  // namespace ringmaster
