// AnswerShape: the parts of an answer that are compared: which values it has, their JSON types, and
// its numbers. The texts of its strings are not compared.
//
// Pure; the master only.
// Cost:   one scan of the answer, and a few hundred ns for each value.
// Limits: kPathsMax paths, kPathBytesMax of a path, kValuesMax values, kBytesMax of JSON. An answer
//         with more has the shape of an empty one (is_too_large).
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
  // under that text: "result.interests["sports"].score". So the numbers of a sorted list
  // can be compared by their texts, not by their indices.
  std::vector<std::pair<std::string, double>> numbers;
  bool is_too_large = false;

  // Whether a number's path has the text of an element.
  static bool is_by_text(std::string_view path) { return path.find("[\"") != path.npos; }

  // `answer`: JSON. The shape of any other text is empty.
  static AnswerShape of(std::string_view answer);
};

// The types as text: "number or null". Without any type: "nothing".
std::string describe(AnswerShape::Types types);

// What differs at one path.
struct ShapeDifference {
  std::string path;
  AnswerShape::Types lost;    // the types that only the answer before has
  AnswerShape::Types gained;  // the types that only the answer now has
};

// A member that only the answer now has is no difference: clients ignore members that they do not
// know.
std::vector<ShapeDifference> differences(const AnswerShape& before, const AnswerShape& now);

}  // namespace ringmaster::master
