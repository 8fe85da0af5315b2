#include "config/problems.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

#include "base/nearest.h"

namespace ringmaster::config {
namespace {

struct SizeUnit {
  std::string_view suffix;
  uint64_t bytes;
};

// The former names of sections and keys.
struct Renamed {
  std::string_view old_name;
  std::string_view name;
};

constexpr Renamed kRenamed[] = {{"features", "upstreams"}, {"queued_jobs", "requests_in_flight"}};

constexpr SizeUnit kSizeUnits[] = {{"", 1}, {"KiB", kKiB}, {"MiB", kMiB}, {"GiB", kGiB}};

std::optional<uint64_t> parse_size(std::string_view text) {
  uint64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc()) return std::nullopt;
  const std::string_view suffix = text.substr(static_cast<size_t>(end - text.data()));
  for (const SizeUnit& unit : kSizeUnits) {
    uint64_t bytes = 0;
    if (suffix == unit.suffix && !__builtin_mul_overflow(count, unit.bytes, &bytes)) return bytes;
  }
  return std::nullopt;
}

std::string_view expected_for(Type type) {
  switch (type) {
    case Type::kMs:
      return "an integer, in milliseconds";
    case Type::kBytes:
      return "a size: an integer in bytes, or a string such as \"64MiB\" (KiB, MiB, GiB)";
    case Type::kCountOrAuto:
      return "\"auto\" or an integer";
    default:
      return "an integer";
  }
}

}  // namespace

std::optional<std::string> size_in_unit(uint64_t bytes) {
  for (auto unit = std::rbegin(kSizeUnits); unit != std::rend(kSizeUnits); ++unit) {
    if (unit->bytes > 1 && bytes != 0 && bytes % unit->bytes == 0)
      return fmt::format("{}{}", bytes / unit->bytes, unit->suffix);
  }
  return std::nullopt;
}

std::string in_unit(uint64_t number, Type type) {
  if (type == Type::kMs) return fmt::format("{} ms", number);
  if (type != Type::kBytes) return fmt::format("{}", number);
  return size_in_unit(number).value_or(fmt::format("{} bytes", number));
}

std::string choice_text(std::span<const std::string_view> texts) {
  std::string all;
  for (const std::string_view& text : texts) {
    const bool is_last = &text == &texts.back();
    all += all.empty() ? "" : is_last ? " or " : ", ";
    all += quote_string(text);
  }
  return all;
}

std::string range_text(Type type, uint64_t min, uint64_t max) {
  const std::string range = max == kNoLimit
                                ? fmt::format("{} or more", in_unit(min, type))
                                : fmt::format("{} to {}", in_unit(min, type), in_unit(max, type));
  return type == Type::kCountOrAuto ? range + ", or \"auto\"" : range;
}

std::string to_string(const Problem& problem) {
  std::string text = problem.file;
  if (problem.line != 0) text += fmt::format(":{}", problem.line);
  if (!problem.key.empty()) text += ": " + problem.key;
  return text + ": " + problem.message;
}

std::vector<std::string> to_strings(const std::vector<Problem>& problems) {
  std::vector<std::string> texts;
  for (const Problem& problem : problems)
    texts.push_back(to_string(problem));
  return texts;
}

Entry Entry::member(const Member& member) const {
  return {key.empty() ? quote_key(member.key) : key + '.' + quote_key(member.key), member.line,
          &member.value};
}

Entry Entry::item(size_t index) const {
  const Value& one = value->items[index];
  return {fmt::format("{}[{}]", key, index), one.line, &one};
}

void Problems::add(size_t line, std::string key, std::string message) {
  problems_.push_back({file_, line, std::move(key), std::move(message)});
}

void Problems::add(const Entry& entry, std::string message) {
  add(entry.line, entry.key, std::move(message));
}

void Problems::add_unknown(const Entry& entry, std::string_view what, std::string_view name,
                           std::span<const std::string_view> known) {
  std::string hint = did_you_mean_or_known(name, known);
  for (const Renamed& renamed : kRenamed) {
    const bool is_known = std::find(known.begin(), known.end(), renamed.name) != known.end();
    if (name == renamed.old_name && is_known) {
      hint = fmt::format("; it is called {} now", renamed.name);
    }
  }
  add(entry, fmt::format("unknown {}{}", what, hint));
}

bool Problems::expect(const Entry& entry, Kind kind, std::string_view expected) {
  if (entry.value->kind == kind) return true;
  add(entry, fmt::format("expected {}, found {}", expected, describe(*entry.value)));
  return false;
}

bool Problems::expect_text(const Entry& entry, std::string_view text, std::string_view expected) {
  if (!text.empty() && text.find('\0') == std::string_view::npos) return true;
  add(entry, fmt::format("expected {}, found {}", expected,
                         text.empty() ? "an empty string" : "a string with a NUL in it"));
  return false;
}

std::optional<std::string> Problems::read_text(const Entry& entry, std::string_view expected) {
  if (!expect(entry, Kind::kString, expected)) return std::nullopt;
  if (!expect_text(entry, entry.value->text, expected)) return std::nullopt;
  return entry.value->text;
}

std::optional<size_t> Problems::read_choice(const Entry& entry,
                                            std::span<const std::string_view> texts) {
  const auto found = std::ranges::find(texts, entry.value->text);
  if (entry.value->kind == Kind::kString && found != texts.end())
    return static_cast<size_t>(found - texts.begin());
  const Value& value = *entry.value;
  add(entry, fmt::format("expected {}, found {}", choice_text(texts),
                         value.kind == Kind::kString ? quote_string(value.text) : describe(value)));
  return std::nullopt;
}

void Problems::read_flag(const Entry& entry, bool& into) {
  if (expect(entry, Kind::kBoolean, "true or false")) into = entry.value->boolean;
}

std::optional<uint64_t> Problems::read_number(const Entry& entry, Type type, uint64_t min,
                                              uint64_t max) {
  const Value& value = *entry.value;
  std::optional<uint64_t> number;
  if (value.kind == Kind::kString && type == Type::kBytes) number = parse_size(value.text);
  if (value.kind == Kind::kString && type == Type::kCountOrAuto && value.text == "auto") return 0;
  if (value.kind == Kind::kInteger && value.integer >= 0) number = value.integer;
  if (!number && value.kind != Kind::kInteger) {
    add(entry, fmt::format("expected {}, found {}", expected_for(type), describe(value)));
    return std::nullopt;
  }
  if (!number || *number < min || *number > max) {
    const std::string found =
        value.kind == Kind::kString ? value.text : fmt::format("{}", value.integer);
    add(entry, fmt::format("expected {}, found {}", range_text(type, min, max), found));
    return std::nullopt;
  }
  return number;
}

std::vector<Problem> Problems::take() {
  std::stable_sort(problems_.begin(), problems_.end(),
                   [](const Problem& a, const Problem& b) { return a.line < b.line; });
  return std::move(problems_);
}

}  // namespace ringmaster::config
