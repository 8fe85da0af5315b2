#include <algorithm>
#include <fmt/format.h>

#include "config/body_text.h"
#include "config/sections.h"

namespace ringmaster::config {
namespace {

// The index of the upstream or handler that a step names.
template <class T>
std::optional<size_t> find_named(Problems& problems, const Entry& entry, const std::vector<T>& all,
                                 std::string_view what, std::string_view section) {
  const auto name = problems.read_text(entry, fmt::format("the name of a {}", what));
  if (!name) return std::nullopt;
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const T& one) { return one.name == *name; });
  if (found != all.end()) return static_cast<size_t>(found - all.begin());
  std::vector<std::string_view> known;
  for (const T& one : all)
    known.push_back(one.name);
  const std::string unknown = fmt::format("{} {}", what, quote_string(*name));
  if (known.empty()) {
    problems.add(entry, fmt::format("unknown {}: there is no [{}.NAME]", unknown, section));
  } else {
    problems.add_unknown(entry, unknown, *name, known);
  }
  return std::nullopt;
}

upstream::BodyTemplate read_body(Problems& problems, const Entry& entry) {
  if (entry.value->kind != Kind::kArray &&
      !problems.expect(entry, Kind::kTable, "a table such as { user_id = \"$params.user_id\" }")) {
    return {};
  }
  check_parameters(problems, entry);
  const auto json = to_json(problems, entry);
  return json ? upstream::BodyTemplate(*json) : upstream::BodyTemplate();
}

std::optional<master::Step> read_step(Problems& problems, const Entry& step,
                                      const Options& options) {
  if (!problems.expect(step, Kind::kTable, "{ fetch = \"UPSTREAM\" } or { run = \"HANDLER\" }")) {
    return std::nullopt;
  }
  std::optional<Entry> fetch, run, body;
  for (const Member& member : step.value->members) {
    const Entry entry = step.member(member);
    if (member.key == "fetch")
      fetch = entry;
    else if (member.key == "run")
      run = entry;
    else if (member.key == "body")
      body = entry;
    else
      problems.add_unknown(entry, "key", member.key, names_of(kStepKeys));
  }
  if (fetch.has_value() == run.has_value()) {
    problems.add(step,
                 fmt::format("expected either fetch or run, found {}", fetch ? "both" : "neither"));
    return std::nullopt;
  }
  if (body && !fetch) problems.add(*body, "belongs to a fetch step; a run step has no body");
  if (run) {
    const auto handler = find_named(problems, *run, options.handlers, "handler", "handlers");
    if (!handler) return std::nullopt;
    return master::RunStep{*handler, options.handlers[*handler].batch};
  }
  const auto upstream = find_named(problems, *fetch, options.upstreams, "upstream", "upstreams");
  upstream::BodyTemplate made = body ? read_body(problems, *body) : upstream::BodyTemplate();
  if (!upstream) return std::nullopt;
  return master::FetchStep{*upstream, std::move(made)};
}

void read_steps(Problems& problems, const Entry& entry, const Options& options, Method& method) {
  if (!problems.expect(entry, Kind::kArray, "an array of steps")) return;
  const size_t count = entry.value->items.size();
  if (count == 0 || count > master::kMaxSteps) {
    problems.add(entry, fmt::format("expected 1 to {} steps, found {}", master::kMaxSteps, count));
  }
  for (size_t i = 0; i < count; ++i) {
    auto step = read_step(problems, entry.item(i), options);
    if (step) method.steps.push_back(std::move(*step));
  }
}

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
