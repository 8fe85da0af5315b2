#include "config/value.h"

#include <algorithm>
#include <cctype>
#include <fmt/format.h>
#include <optional>
#include <sstream>

// Without exceptions the parser returns errors.
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
// Some assertions fail for an invalid text ("[" at the end of a line); without them the library
// reports the error.
#define TOML_ASSERT(condition) static_assert(true)
#include <toml++/toml.h>

namespace ringmaster::config {
namespace {

struct Located {
  toml::source_position where;
  Member member;
};

Value from_node(const toml::node& node, size_t line);

// The library sorts tables by key; problems are reported in the order of the file.
std::vector<Member> from_table(const toml::table& table) {
  std::vector<Located> found;
  for (const auto& [key, node] : table) {
    const size_t line = key.source().begin.line;
    found.push_back(
        {key.source().begin, Member{std::string(key.str()), line, from_node(node, line)}});
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const Located& a, const Located& b) { return a.where < b.where; });
  std::vector<Member> members;
  for (Located& one : found)
    members.push_back(std::move(one.member));
  return members;
}

template <class T>
std::string iso(const T& date) {
  std::ostringstream out;
  out << date;
  return out.str();
}

Value from_node(const toml::node& node, size_t line) {
  Value value;
  value.line = node.source().begin.line != 0 ? node.source().begin.line : line;
  node.visit([&value](const auto& typed) {
    using T = std::remove_cvref_t<decltype(typed)>;
    if constexpr (std::is_same_v<T, toml::table>) {
      value.kind = Kind::kTable;
      value.members = from_table(typed);
    } else if constexpr (std::is_same_v<T, toml::array>) {
      value.kind = Kind::kArray;
      for (const toml::node& item : typed)
        value.items.push_back(from_node(item, value.line));
    } else if constexpr (std::is_same_v<T, toml::value<std::string>>) {
      value.kind = Kind::kString;
      value.text = typed.get();
    } else if constexpr (std::is_same_v<T, toml::value<int64_t>>) {
      value.kind = Kind::kInteger;
      value.integer = typed.get();
    } else if constexpr (std::is_same_v<T, toml::value<double>>) {
      value.kind = Kind::kFloat;
      value.number = typed.get();
    } else if constexpr (std::is_same_v<T, toml::value<bool>>) {
      value.kind = Kind::kBoolean;
      value.boolean = typed.get();
    } else {
      value.kind = Kind::kDate;
      value.text = iso(typed.get());
    }
  });
  return value;
}

// The most dots in a key. The library has no limit; with more dots its recursion, or that of
// from_node(), could exhaust the stack.
constexpr size_t kKeyDotsMax = 1000;

std::optional<SyntaxFault> find_endless_key(std::string_view text) {
  size_t line = 1;
  size_t dots = 0;
  for (const char c : text) {
    line += c == '\n';
    dots = c == '\n' || c == ',' ? 0 : dots + (c == '.');
    if (dots > kKeyDotsMax) {
      return SyntaxFault{line, fmt::format("more than {} dots in one key", kKeyDotsMax)};
    }
  }
  return std::nullopt;
}

bool is_bare(std::string_view key) {
  return !key.empty() && std::all_of(key.begin(), key.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '-';
  });
}

}  // namespace

tl::expected<Value, SyntaxFault> parse_toml(std::string_view text) {
  if (auto fault = find_endless_key(text)) return tl::unexpected(std::move(*fault));
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    return tl::unexpected(
        SyntaxFault{parsed.error().source().begin.line, std::string(parsed.error().description())});
  }
  return from_node(parsed.table(), 1);
}

const Value* find(const Value& table, std::string_view key) {
  for (const Member& member : table.members) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

size_t line_of(const Value& root, std::initializer_list<std::string_view> path) {
  const Value* at = &root;
  for (std::string_view key : path) {
    at = at == nullptr ? nullptr : find(*at, key);
  }
  return at == nullptr ? 0 : at->line;
}

std::string describe(const Value& value) {
  switch (value.kind) {
    case Kind::kString:
      return "the string " + quote_string(value.text);
    case Kind::kInteger:
      return fmt::format("the integer {}", value.integer);
    case Kind::kFloat:
      return fmt::format("the number {}", value.number);
    case Kind::kBoolean:
      return value.boolean ? "true" : "false";
    case Kind::kDate:
      return "the date or time " + value.text;
    case Kind::kArray:
      return "an array";
    case Kind::kTable:
      return "a table";
  }
  return "";
}

std::string quote_string(std::string_view text) {
  std::string quoted = "\"";
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      quoted += fmt::format("\\u{:04X}", static_cast<unsigned>(byte));
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

std::string quote_key(std::string_view text) {
  return is_bare(text) ? std::string(text) : quote_string(text);
}

}  // namespace ringmaster::config
