// Reads the secrets that templates may use.
#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>

#include "base/regular_file.h"
#include "config/sections.h"

namespace ringmaster::config {
namespace {

constexpr size_t kSecretBytesMax = 64 << 10;

tl::expected<std::string, std::string> text_of(const SecretSource& source) {
  if (!source.file.empty()) {
    auto text = read_regular_file(source.file, kSecretBytesMax);
    if (!text) return tl::unexpected(source.file + ": " + text.error());
    return *text;
  }
  const char* const text = std::getenv(source.env.c_str());
  if (text == nullptr) return tl::unexpected("there is no environment variable " + source.env);
  return text;
}

// A secret must be one line: it may stand in a header. A message never shows it.
std::optional<std::string> find_fault(std::string_view secret) {
  if (secret.empty()) return "expected a secret, found nothing";
  const auto is_control = [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; };
  if (std::ranges::none_of(secret, is_control)) return {};
  return "expected one line, without control characters";
}

void read_secret(Problems& problems, const std::string& name, const Entry& table,
                 const Paths& paths, Options& options) {
  SecretSource source;
  read_table(problems, table, kSecretsKeys, source, [&](std::string_view key, const Entry& entry) {
    const auto text = problems.read_text(entry, key == "file" ? "a path" : "a variable's name");
    if (!text) return;
    (key == "file" ? source.file : source.env) = *text;
  });
  if (source.file.empty() == source.env.empty()) {
    return problems.add(table, fmt::format("expected either file or env, found {}",
                                           source.file.empty() ? "neither" : "both"));
  }
  if (!source.file.empty()) {
    const auto path = paths.find(source.file);
    if (!path) return problems.add(table, path.error());
    source.file = *path;
  }
  auto text = text_of(source);
  if (text) {
    while (text->ends_with('\n') || text->ends_with('\r'))
      text->pop_back();
  }
  const std::optional<std::string> fault = text ? find_fault(*text) : std::optional(text.error());
  if (fault) problems.add(table, *fault);
  if (text) source.text = std::move(*text);
  options.secrets.emplace(name, std::move(source));
}

}  // namespace

void read_secrets(Problems& problems, const Entry& section, const Paths& paths, Options& options) {
  for_each_table(problems, section, [&](const std::string& name, const Entry& table) {
    read_secret(problems, name, table, paths, options);
  });
}

}  // namespace ringmaster::config
