#include "config/config.h"

#include <filesystem>
#include <fmt/format.h>
#include <optional>

#include "base/regular_file.h"
#include "config/sections.h"

namespace ringmaster::config {
namespace {

constexpr size_t kFileBytesMax = 16 << 20;

tl::expected<std::string, std::string> read_file(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    return tl::unexpected("no such file" + did_you_mean_file(path));
  }
  return read_regular_file(path, kFileBytesMax);
}

std::vector<std::string_view> section_names() {
  std::vector<std::string_view> names;
  for_each_section([&](const Section& section, const auto&) { names.push_back(section.name); });
  return names;
}

void read_sections(Problems& problems, const Value& root, const Paths& paths, Options& options) {
  const Entry whole{"", 0, &root};
  // Secrets first, and methods last: they refer to upstreams and handlers anywhere in the file.
  std::optional<Entry> methods;
  for (const Member& member : root.members) {
    if (member.key == "secrets") read_secrets(problems, whole.member(member), paths, options);
  }
  for (const Member& member : root.members) {
    const Entry entry = whole.member(member);
    if (member.key == "secrets")
      continue;
    else if (member.key == "listen")
      read_listen(problems, entry, paths, options);
    else if (member.key == "workers")
      read_workers(problems, entry, options);
    else if (member.key == "limits")
      read_limits(problems, entry, options);
    else if (member.key == "fair")
      read_fair(problems, entry, options);
    else if (member.key == "crashes")
      read_crashes(problems, entry, paths, options);
    else if (member.key == "log")
      read_log(problems, entry, options);
    else if (member.key == "telemetry")
      read_telemetry(problems, entry, options);
    else if (member.key == "shutdown")
      read_shutdown(problems, entry, options);
    else if (member.key == "reload")
      read_reload(problems, entry, options);
    else if (member.key == "upstreams")
      read_upstreams(problems, entry, paths, options);
    else if (member.key == "handlers")
      read_handlers(problems, entry, paths, options);
    else if (member.key == "methods")
      methods = entry;
    else
      problems.add_unknown(entry, "section", member.key, section_names());
  }
  if (methods) read_methods(problems, *methods, options);
  const bool is_table = methods && methods->value->kind == Kind::kTable;
  const bool has_method = methods && !(is_table && methods->value->members.empty());
  if (!has_method) {
    problems.add(methods ? methods->line : 0, "methods",
                 "expected at least one method, [methods.NAME], found none");
  }
}

}  // namespace

Loaded load(const std::string& path, std::vector<std::string> handler_folders) {
  const auto text = read_file(path);
  if (text) return load_text(path, *text, std::move(handler_folders));
  Loaded loaded;
  Problems problems(path);
  problems.add(0, "", text.error());
  loaded.problems = problems.take();
  return loaded;
}

Loaded load_text(const std::string& path, std::string_view text,
                 std::vector<std::string> handler_folders) {
  Loaded loaded;
  loaded.options.config_file = path;
  Problems problems(path);
  const auto root = parse_toml(text);
  if (!root) {
    problems.add(root.error().line, "", "not valid TOML: " + root.error().message);
  } else {
    const Paths paths(path, std::move(handler_folders));
    read_sections(problems, *root, paths, loaded.options);
    find_worker_user(problems, *root, loaded.options);
    check_memory(problems, *root, loaded.options);
    for (ipc::HandlerSpec& handler : loaded.options.handlers)
      handler.debug = loaded.options.worker_debug;
  }
  loaded.problems = problems.take();
  return loaded;
}

}  // namespace ringmaster::config
