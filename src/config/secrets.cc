// Reads the secrets that templates may use.
#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <map>

#include "base/json/scan.h"
#include "base/regular_file.h"
#include "config/sections.h"
#include "config/tokens.h"

namespace ringmaster::config {
namespace {

constexpr size_t kSecretBytesMax = 64 << 10;

// Removes the variable from the environment, which handlers inherit. A reload gets the same text.
std::optional<std::string> take_variable(const std::string& name) {
  static std::map<std::string, std::string> taken;
  if (const char* const text = std::getenv(name.c_str())) {
    taken[name] = text;
    ::unsetenv(name.c_str());
  }
  const auto found = taken.find(name);
  return found == taken.end() ? std::nullopt : std::optional(found->second);
}

tl::expected<std::string, std::string> text_of(const SecretSource& source) {
  if (source.file.empty()) {
    auto text = take_variable(source.env);
    if (!text) return tl::unexpected("there is no environment variable " + source.env);
    return std::move(*text);
  }
  auto text = read_regular_file(source.file, kSecretBytesMax);
  if (!text) return tl::unexpected(source.file + ": " + text.error());
  while (text->ends_with('\n') || text->ends_with('\r'))
    text->pop_back();
  return std::move(*text);
}

// A secret must be one line: it may stand in a header. A message never shows it.
std::optional<std::string> find_fault(std::string_view secret) {
  if (secret.empty()) return "expected a secret, found nothing";
  const auto is_control = [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; };
  if (std::ranges::any_of(secret, is_control))
    return "expected one line, without control characters";
  if (json::unquote(json::quote(secret)) != secret) return "expected UTF-8";
  return {};
}

void read_secret(Problems& problems, const std::string& name, const Entry& table,
                 const Paths& paths, Options& options) {
  SecretSource source;
  read_table(problems, table, kSecretsKeys, source, [&](std::string_view key, const Entry& entry) {
    const auto text = problems.read_text(entry, key == "file" ? "a path" : "a variable's name");
    if (!text) return;
    (key == "file" ? source.file : source.env) = *text;
  });
  const bool is_file = !source.file.empty();
  std::optional<std::string> fault;
  if (is_file != source.env.empty()) {
    fault = fmt::format("expected either file or env, found {}", is_file ? "both" : "neither");
  } else if (const auto path = paths.find(source.file); is_file && !path) {
    fault = path.error();
  } else {
    if (is_file) source.file = *path;
    auto text = text_of(source);
    fault = text ? find_fault(*text) : std::optional(text.error());
    if (text) source.text = std::move(*text);
    if (!fault && is_file) fault = find_fault_in_mode(source.file);
  }
  if (fault) problems.add(table, *fault);
  options.secrets.emplace(name, std::move(source));  // an invalid one, too: templates may name it
}

}  // namespace

void read_secrets(Problems& problems, const Entry& section, const Paths& paths, Options& options) {
  for_each_table(problems, section, [&](const std::string& name, const Entry& table) {
    read_secret(problems, name, table, paths, options);
  });
}

std::map<std::string, std::string> secret_texts(const Options& options) {
  std::map<std::string, std::string> texts;
  for (const auto& [name, source] : options.secrets)
    texts.emplace(name, source.text);
  return texts;
}

}  // namespace ringmaster::config
