#include "config/config.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <optional>

#include "config/sections.h"

namespace ringmaster::config {
namespace {

tl::expected<std::string, std::string> read_file(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    return tl::unexpected("no such file" + did_you_mean_file(path));
  }
  if (std::filesystem::is_directory(path, error)) {
    return tl::unexpected(std::string("expected a file, found a folder"));
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) return tl::unexpected(std::string("cannot read: ") + std::strerror(errno));
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (file.bad()) return tl::unexpected(std::string("cannot read: ") + std::strerror(errno));
  return text;
}

void read_sections(Problems& problems, const Value& root, const Paths& paths, Options& options) {
  const Entry whole{"", 0, &root};
  // Methods name upstreams and handlers, wherever in the file these stand.
  std::optional<Entry> methods;
  for (const Member& member : root.members) {
    const Entry entry = whole.member(member);
    if (member.key == "listen")
      read_listen(problems, entry, paths, options);
    else if (member.key == "workers")
      read_workers(problems, entry, options);
    else if (member.key == "limits")
      read_limits(problems, entry, options);
    else if (member.key == "crashes")
      read_crashes(problems, entry, paths, options);
    else if (member.key == "shutdown")
      read_shutdown(problems, entry, options);
    else if (member.key == "features")
      read_features(problems, entry, options);
    else if (member.key == "handlers")
      read_handlers(problems, entry, paths, options);
    else if (member.key == "methods")
      methods = entry;
    else
      problems.add_unknown(entry, "section", member.key, kSections);
  }
  if (methods) read_methods(problems, *methods, options);
  const bool is_table = methods && methods->value->kind == Kind::kTable;
  const bool has_method = methods && !(is_table && methods->value->members.empty());
  if (!has_method) {
    problems.add(methods ? methods->line : 0, "methods",
                 "expected at least one method, [methods.NAME], found none");
  }
}

// The line of SECTION.KEY or SECTION.NAME.KEY, 0 when the file has none.
size_t line_of(const Value& root, std::initializer_list<std::string_view> path) {
  const Value* at = &root;
  for (std::string_view key : path) {
    at = at == nullptr ? nullptr : find(*at, key);
  }
  return at == nullptr ? 0 : at->line;
}

// A request that comes in and an answer that goes out are held by their connection: were one of
// either alone too much, whoever sends or gets such would be closed each time.
void check_connection_memory(Problems& problems, const Value& root, const Limits& limits) {
  const uint64_t needed = limits.request_bytes + limits.response_bytes;
  if (limits.connection_memory_bytes >= needed) return;
  size_t line = line_of(root, {"limits", "connection_memory_bytes"});
  if (line == 0) line = line_of(root, {"limits", "response_bytes"});
  if (line == 0) line = line_of(root, {"limits", "request_bytes"});
  problems.add(line, "limits.connection_memory_bytes",
               fmt::format("must hold limits.request_bytes plus limits.response_bytes: at least "
                           "{} bytes, found {}",
                           needed, limits.connection_memory_bytes));
}

// A request and the body fetched for it lie in payload memory together: where they cannot, every
// such request would fail, and only those of a certain size, in production.
void check_payload_memory(Problems& problems, const Value& root, const Options& options) {
  const Limits& limits = options.limits;
  const auto largest =
      std::max_element(options.upstreams.begin(), options.upstreams.end(),
                       [](const auto& a, const auto& b) { return a.body_bytes < b.body_bytes; });
  const bool has_upstream = largest != options.upstreams.end();
  const uint64_t needed = limits.request_bytes + (has_upstream ? largest->body_bytes : 0);
  if (limits.payload_memory_bytes >= needed) return;
  // Whichever of the three the file sets is where the operator has to look.
  size_t line = line_of(root, {"limits", "payload_memory_bytes"});
  if (line == 0 && has_upstream) line = line_of(root, {"features", largest->name, "body_bytes"});
  if (line == 0) line = line_of(root, {"limits", "request_bytes"});
  const std::string body =
      has_upstream ? fmt::format(" plus features.{}.body_bytes", quote_key(largest->name)) : "";
  problems.add(line, "limits.payload_memory_bytes",
               fmt::format("must hold limits.request_bytes{}: at least {} bytes, found {}", body,
                           needed, limits.payload_memory_bytes));
}

}  // namespace

Loaded load(const std::string& path, std::vector<std::string> handler_folders) {
  Loaded loaded;
  loaded.options.config_file = path;
  Problems problems(path);
  const auto text = read_file(path);
  const auto root = text ? parse_toml(*text) : Value();
  if (!text) {
    problems.add(0, "", text.error());
  } else if (!root) {
    problems.add(root.error().line, "", "not valid TOML: " + root.error().message);
  } else {
    const Paths paths(path, std::move(handler_folders));
    read_sections(problems, *root, paths, loaded.options);
    check_payload_memory(problems, *root, loaded.options);
    check_connection_memory(problems, *root, loaded.options.limits);
  }
  loaded.problems = problems.take();
  return loaded;
}

}  // namespace ringmaster::config
