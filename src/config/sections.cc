#include "config/sections.h"

#include "config/addresses.h"
#include "config/body_text.h"

namespace ringmaster::config {
namespace {

constexpr auto kNothingElse = [](std::string_view, const Entry&) {};

// The option that a handler gets for one of its keys: text as it is, files as absolute paths, other
// values as JSON.
std::optional<std::string> read_handler_option(Problems& problems, const std::string& key,
                                               const Entry& entry, const Paths& paths) {
  if (key == "model" || key.ends_with("_file")) {
    const auto path = problems.read_text(entry, "the path of a file");
    if (!path) return std::nullopt;
    const auto found = paths.find(*path);
    if (!found) problems.add(entry, found.error());
    return found ? std::optional(*found) : std::nullopt;
  }
  if (entry.value->kind != Kind::kString) return to_json(problems, entry);
  if (entry.value->text.empty()) return "";
  return problems.read_text(entry, "a string");
}

ipc::HandlerSpec read_handler(Problems& problems, const std::string& name, const Entry& table,
                              const Paths& paths) {
  ipc::HandlerSpec spec{name};
  Value own_name;
  own_name.kind = Kind::kString;
  own_name.text = name;
  // The default library is the handler's name.
  Entry library{table.key + ".library", table.line, &own_name};
  for (const Member& member : table.value->members) {
    const Entry entry = table.member(member);
    const Key<HandlerSpec>* const key = find_key(kHandlersKeys, member.key);
    if (member.key == "library") {
      library = entry;
    } else if (key != nullptr && key->member != nullptr) {
      read_number(problems, entry, *key, spec);
    } else if (problems.expect_text(entry, member.key, "a key")) {
      const auto option = read_handler_option(problems, member.key, entry, paths);
      if (option) spec.options.emplace_back(member.key, *option);
    }
  }
  const auto text = problems.read_text(library, "the name or the path of a handler library");
  if (!text) return spec;
  const auto found = paths.find_library(*text);
  if (found) spec.library = *found;
  if (!found) problems.add(library, found.error());
  return spec;
}

}  // namespace

void read_limits(Problems& problems, const Entry& section, Options& options) {
  read_table(problems, section, kLimitsKeys, options.limits, kNothingElse);
}

void read_crashes(Problems& problems, const Entry& section, const Paths& paths, Options& options) {
  const auto read_folder = [&](std::string_view, const Entry& entry) {
    if (entry.value->kind == Kind::kString && entry.value->text.empty()) return;  // off
    const auto path = problems.read_text(entry, "the path of a folder, or \"\"");
    if (path) options.crashes.folder = paths.beside_config(*path);
  };
  read_table(problems, section, kCrashesKeys, options.crashes, read_folder);
}

void read_shutdown(Problems& problems, const Entry& section, Options& options) {
  read_table(problems, section, kShutdownKeys, options, kNothingElse);
}

void read_upstreams(Problems& problems, const Entry& section, Options& options) {
  for_each_table(problems, section, [&](const std::string& name, const Entry& table) {
    UpstreamOptions upstream;
    upstream.name = name;
    read_table(problems, table, kUpstreamsKeys, upstream,
               [&](std::string_view, const Entry& entry) {
                 const auto url = problems.read_text(entry, "a URL");
                 if (!url) return;
                 upstream.url = *url;
                 const auto fault = find_fault_in_url(*url);
                 if (fault) problems.add(entry, *fault);
               });
    if (find(*table.value, "url") == nullptr) {
      problems.add(table,
                   "has no url; expected one, such as url = \"http://127.0.0.1:7080/features\"");
    }
    options.upstreams.push_back(std::move(upstream));
  });
}

void read_handlers(Problems& problems, const Entry& section, const Paths& paths, Options& options) {
  for_each_table(problems, section, [&](const std::string& name, const Entry& table) {
    options.handlers.push_back(read_handler(problems, name, table, paths));
  });
}

}  // namespace ringmaster::config
