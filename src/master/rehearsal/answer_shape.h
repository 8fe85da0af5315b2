// AnswerShape: what of an answer is compared: which values it has, of which JSON type, and its
// numbers. The texts of its strings are not.
//
// Pure; the master only.
// Cost:   one scan of the answer, and a few hundred ns for each value.
// Limits: kPathsMax paths, kPathBytesMax of a path, kValuesMax values, kBytesMax of JSON, since the
//         event loop itself reads it. An answer with more has the shape of an empty one
//         (is_too_large).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ringmaster::master {

struct AnswerShape {
  static constexpr size_t kPathsMax = 1000;
  static constexpr size_t kPathBytesMax = 256;
  static constexpr size_t kValuesMax = 10'000;
  static constexpr size_t kBytesMax = 1 << 20;
  static constexpr size_t kNumbersMax = 128;

  // One bit for each JSON type. An empty array is a type of its own.
  using Types = uint8_t;
  // By path, as in "result.interests[].score": all elements of an array are one path.
  std::map<std::string, Types> types;
  // The first numbers, in kNumbersMax entries. Here each element has its own path:
  // "result.interests[0].score". A number in an element with a text before it has a second entry,
  // under that text: "result.interests["sports"].score". So a list that is sorted by its numbers
  // can be compared by what these are about.
  std::vector<std::pair<std::string, double>> numbers;
  bool is_too_large = false;

  // Whether a number's path has the text of an element.
  static bool is_by_text(std::string_view path) { return path.find("[\"") != path.npos; }

  // `answer`: JSON. Of any other text the shape is empty.
  static AnswerShape of(std::string_view answer);
};

// "number or null"; of no type: "nothing".
std::string describe(AnswerShape::Types types);

// What differs at one path.
struct ShapeDifference {
  std::string path;
  AnswerShape::Types lost;    // the types that only the answer before has
  AnswerShape::Types gained;  // the types that only the answer now has
};

// Members that only the answer now has are no difference: clients ignore what they do not know.
std::vector<ShapeDifference> differences(const AnswerShape& before, const AnswerShape& now);

}  // namespace ringmaster::master
