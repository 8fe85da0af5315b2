// [handlers.NAME]: a shared object or a Python function, and the options for it.
#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <optional>

#include "config/body_text.h"
#include "config/sections.h"

namespace ringmaster::config {
namespace {

// The library of all handlers in Python.
constexpr std::string_view kPython = "python";

// The option that a handler gets for one of its keys: text, dates and times as their text, files as
// absolute paths, other values as JSON.
std::optional<std::string> read_handler_option(Problems& problems, const std::string& key,
                                               const Entry& entry, const Paths& paths) {
  if (key == "model" || key.ends_with("_file")) {
    const auto path = problems.read_text(entry, "the path of a file");
    if (!path) return std::nullopt;
    const auto found = paths.find(*path);
    if (!found) problems.add(entry, found.error());
    return found ? std::optional(*found) : std::nullopt;
  }
  if (entry.value->kind == Kind::kDate) return entry.value->text;
  if (entry.value->kind != Kind::kString) return to_json(problems, entry);
  if (entry.value->text.empty()) return "";
  return problems.read_text(entry, "a string");
}

bool is_digit(unsigned char c) {
  return c >= '0' && c <= '9';
}

// Python also allows most letters that are not ASCII.
bool is_identifier(std::string_view text) {
  const auto is_part = [](unsigned char c) {
    return c >= 0x80 || c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || is_digit(c);
  };
  return !text.empty() && !is_digit(text[0]) && std::ranges::all_of(text, is_part);
}

// Names with dots between them.
bool is_module(std::string_view text) {
  const size_t dot = text.find('.');
  if (!is_identifier(text.substr(0, dot))) return false;
  return dot == std::string_view::npos || is_module(text.substr(dot + 1));
}

// FILE.py:NAME with the file as an absolute path, or MODULE:NAME as it is.
std::optional<std::string> read_python(Problems& problems, const Entry& entry, const Paths& paths) {
  constexpr std::string_view kExpected = "\"FILE.py:NAME\" or \"MODULE:NAME\"";
  const auto text = problems.read_text(entry, kExpected);
  if (!text) return std::nullopt;
  const size_t colon = std::min(text->rfind(':'), text->size());
  const std::string place = text->substr(0, colon);
  const std::string name = text->substr(std::min(colon + 1, text->size()));
  if (!is_identifier(name) || !(place.ends_with(".py") || is_module(place))) {
    problems.add(entry, fmt::format("expected {}, found {}", kExpected, quote_string(*text)));
    return std::nullopt;
  }
  if (!place.ends_with(".py")) return text;
  const auto found = paths.find(place);
  if (found) return *found + ':' + name;
  problems.add(entry, found.error());
  return std::nullopt;
}

// The absolute path of a folder that is a virtual environment, or "".
std::optional<std::string> read_venv(Problems& problems, const Entry& entry, const Paths& paths) {
  if (entry.is_empty_text()) return "";
  const auto path = problems.read_text(entry, "the path of a virtual environment, or \"\"");
  if (!path) return std::nullopt;
  const auto found = paths.find(*path + "/pyvenv.cfg");
  if (found) return std::filesystem::path(*found).parent_path().string();
  problems.add(entry, "expected a virtual environment: " + found.error());
  return std::nullopt;
}

ipc::HandlerSpec read_handler(Problems& problems, const std::string& name, const Entry& table,
                              const Paths& paths) {
  ipc::HandlerSpec spec{name};
  std::optional<Entry> library, python, venv;
  const auto keep = [&](const std::string& key, const std::optional<std::string>& option) {
    if (option) spec.options.emplace_back(key, *option);
  };
  for (const Member& member : table.value->members) {
    const Entry entry = table.member(member);
    const Key<HandlerSpec>* const key = find_key(kHandlersKeys, member.key);
    if (member.key == "library") {
      library = entry;
    } else if (member.key == "python") {
      python = entry;
      keep(member.key, read_python(problems, entry, paths));
    } else if (member.key == "venv") {
      venv = entry;
      keep(member.key, read_venv(problems, entry, paths));
    } else if (key != nullptr && key->member != nullptr) {
      read_number(problems, entry, *key, spec);
    } else if (problems.expect_text(entry, member.key, "a key")) {
      keep(member.key, read_handler_option(problems, member.key, entry, paths));
    }
  }
  if (python && library) problems.add(*python, "expected either library or python, found both");
  if (venv && !python) problems.add(*venv, "belongs to a handler with the key python");
  if (python && !venv) spec.options.emplace_back("venv", "");
  // The default library: the handler's name, or kPython for a handler in Python.
  Value implied;
  implied.kind = Kind::kString;
  implied.text = python ? kPython : name;
  const Entry own{table.key + (python ? ".python" : ".library"), python ? python->line : table.line,
                  &implied};
  const Entry& named = library ? *library : own;
  const auto text = problems.read_text(named, "the name or the path of a handler library");
  if (!text) return spec;
  const auto found = paths.find_library(*text);
  if (found) spec.library = *found;
  if (!found) problems.add(named, found.error());
  return spec;
}

}  // namespace

void read_handlers(Problems& problems, const Entry& section, const Paths& paths, Options& options) {
  for_each_table(problems, section, [&](const std::string& name, const Entry& table) {
    options.handlers.push_back(read_handler(problems, name, table, paths));
  });
}

}  // namespace ringmaster::config
