#include "base/nearest.h"

#include <doctest/doctest.h>

namespace ringmaster {
namespace {

constexpr std::string_view kKeys[] = {"url", "timeout_ms", "connections", "body_bytes"};

}  // namespace

TEST_CASE("nearest: distance counts insertions, deletions, replacements and swaps") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("abc", "abc") == 0);
  CHECK(edit_distance("abc", "abcd") == 1);
  CHECK(edit_distance("abcd", "acd") == 1);
  CHECK(edit_distance("abc", "abx") == 1);
  CHECK(edit_distance("abc", "acb") == 1);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("sitting", "kitten") == 3);
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

}  // namespace ringmaster
