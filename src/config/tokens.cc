#include "config/tokens.h"

#include <algorithm>
#include <fmt/format.h>
#include <sstream>
#include <string_view>
#include <sys/stat.h>

#include "base/ascii.h"
#include "base/regular_file.h"

namespace ringmaster::config {
namespace {

constexpr size_t kTokenBytesMin = 16;
constexpr size_t kTokenBytesMax = 1024;
constexpr size_t kNameBytesMax = 64;
constexpr size_t kTokensBytesMax = 1 << 20;
// Limited, since a client's token is compared with all of them.
constexpr size_t kTokensMax = 1000;

bool is_visible(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

// A line of the file: "TOKEN" or "NAME TOKEN".
struct Line {
  std::string name;  // empty: the token has none
  std::string token;
};

Line split(std::string_view text) {
  const size_t blank = text.find_first_of(" \t");
  if (blank == std::string_view::npos) return {"", std::string(text)};
  return {std::string(text.substr(0, blank)), std::string(trim(text.substr(blank)))};
}

// Empty: the line has no fault.
std::string fault_in(const Line& line) {
  const std::string& token = line.token;
  if (token.size() < kTokenBytesMin || token.size() > kTokenBytesMax || !is_visible(token)) {
    return fmt::format("expected a token of {} to {} visible ASCII characters, found {}{}",
                       kTokenBytesMin, kTokenBytesMax, token.size(),
                       is_visible(token) ? "" : ", some not visible");
  }
  if (line.name.size() > kNameBytesMax || !is_visible(line.name)) {
    return fmt::format(
        "expected a name of at most {} visible ASCII characters before the token, "
        "found {}{}",
        kNameBytesMax, line.name.size(), is_visible(line.name) ? "" : ", some not visible");
  }
  // Names are logged, so a line "TOKEN NAME" must be refused.
  if (line.name.size() >= token.size()) {
    return fmt::format(
        "expected a name that is shorter than its token, \"NAME TOKEN\"; found one "
        "of {} characters before a token of {}",
        line.name.size(), token.size());
  }
  return "";
}

tl::expected<std::vector<Line>, std::string> read_lines(const std::string& path) {
  const auto text = read_regular_file(path, kTokensBytesMax);
  if (!text) return tl::unexpected(path + ": " + text.error());
  std::vector<Line> tokens;
  std::istringstream lines(*text);
  std::string line;
  size_t first_too_many = 0;  // the line of the first token beyond kTokensMax
  for (size_t number = 1; std::getline(lines, line); ++number) {
    const std::string_view trimmed = trim(line);
    if (trimmed.empty() || trimmed.front() == '#') continue;
    Line found = split(trimmed);
    if (const std::string fault = fault_in(found); !fault.empty())
      return tl::unexpected(fmt::format("{}:{}: {}", path, number, fault));
    if (tokens.size() == kTokensMax) first_too_many = number;
    tokens.push_back(std::move(found));
  }
  if (tokens.size() > kTokensMax) {
    return tl::unexpected(fmt::format("{}:{}: expected at most {} tokens, found {}", path,
                                      first_too_many, kTokensMax, tokens.size()));
  }
  if (tokens.empty()) return tl::unexpected(path + ": expected a token, one a line, found none");
  return tokens;
}

}  // namespace

tl::expected<std::vector<master::Token>, std::string> read_tokens(const std::string& path) {
  const auto lines = read_lines(path);
  if (!lines) return tl::unexpected(lines.error());
  std::vector<master::Token> tokens;
  for (const Line& line : *lines) {
    const Secret secret(line.token);
    tokens.push_back({line.name.empty() ? secret.fingerprint() : line.name, secret});
  }
  return tokens;
}

tl::expected<std::string, std::string> read_first_token(const std::string& path) {
  const auto lines = read_lines(path);
  if (!lines) return tl::unexpected(lines.error());
  return lines->front().token;
}

std::optional<std::string> find_fault_in_mode(const std::string& path) {
  struct stat file {};
  if (::stat(path.c_str(), &file) != 0) return std::nullopt;
  const bool is_readable = (file.st_mode & S_IROTH) != 0;
  if (!is_readable && (file.st_mode & (S_IWGRP | S_IWOTH)) == 0) return std::nullopt;
  return fmt::format("{} may be {} (mode {:04o}): chmod g-w,o-rwx {}", path,
                     is_readable ? "read by everybody" : "written by others than its owner",
                     file.st_mode & 07777, path);
}

}  // namespace ringmaster::config
