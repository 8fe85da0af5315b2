#include <fmt/format.h>

#include "config/sections.h"

namespace ringmaster::config {
namespace {

// [methods.interests.predict] is, to TOML, the table `predict` of a method `interests`.
bool is_unquoted_name(Problems& problems, const std::string& name, const Entry& table) {
  bool found = false;
  for (const Member& member : table.value->members) {
    if (member.value.kind != Kind::kTable) continue;
    found = true;
    problems.add(
        table.member(member),
        fmt::format("unknown key; a method's name with a dot in it needs quotes: [methods.{}]",
                    quote_string(name + '.' + member.key)));
  }
  return found;
}

void read_method(Problems& problems, const std::string& name, const Entry& table,
                 Options& options) {
  if (is_unquoted_name(problems, name, table)) return;
  Method method;
  method.name = name;
  if (name.starts_with("rpc.")) {
    problems.add(table, "method names that begin with \"rpc.\" are reserved by JSON-RPC");
  }
  read_table(problems, table, kMethodsKeys, method, [&](std::string_view key, const Entry& entry) {
    if (key == "steps") return read_steps(problems, entry, options, method);
    if (key == "rehearse") return problems.read_flag(entry, method.rehearse);
    if (problems.expect(entry, Kind::kString, "a line of text")) method.summary = entry.value->text;
  });
  if (find(*table.value, "steps") == nullptr) {
    problems.add(table,
                 "has no steps; expected at least one, such as steps = [{ run = \"HANDLER\" }]");
  }
  if (method.concurrency > 0 && method.reserved_workers > method.concurrency) {
    problems.add(table, fmt::format("expected reserved_workers of at most concurrency, {}, since "
                                    "the method cannot use more; found {}",
                                    method.concurrency, method.reserved_workers));
  }
  options.methods.push_back(std::move(method));
}

}  // namespace

void read_methods(Problems& problems, const Entry& section, Options& options) {
  for_each_table(problems, section, [&](const std::string& name, const Entry& table) {
    read_method(problems, name, table, options);
  });
  uint64_t reserved = 0;
  for (const Method& method : options.methods)
    reserved += method.reserved_workers;
  const uint64_t workers = options.worker_count;  // 0: not known yet
  if (workers == 0 || reserved == 0 || reserved < workers) return;
  problems.add(section, fmt::format("expected reserved_workers of at most {} together, so that one "
                                    "of {} workers is left for other methods, found {}",
                                    workers - 1, workers, reserved));
}

}  // namespace ringmaster::config
