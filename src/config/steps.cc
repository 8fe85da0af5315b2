// Reads the steps of a method.
#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <span>

#include "base/json/scan.h"
#include "config/body_text.h"
#include "config/sections.h"

namespace ringmaster::config {
namespace {

using upstream::RequestTemplate;
using upstream::Scope;
using Entries = std::map<std::string_view, Entry>;

constexpr std::string_view kKinds[] = {"fetch", "run", "parallel"};

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

// Appends the names of the steps in this array to `names`. Steps without a valid name are skipped.
void find_names(const Value& steps, std::vector<std::string>& names) {
  for (const Value& step : steps.items) {
    if (const Value* parallel = find(step, "parallel")) find_names(*parallel, names);
    for (const char* key : {"as", "fetch", "run"}) {
      const Value* name = find(step, key);
      if (name == nullptr || name->kind != Kind::kString) continue;
      names.push_back(name->text);
      break;
    }
  }
}

// Reads the steps in their order: a step's templates may use the names of the steps before it.
class StepsReader {
 public:
  StepsReader(Problems& problems, const Options& options, std::vector<std::string> all_names,
              std::vector<master::Step>& steps)
      : problems_(problems),
        options_(options),
        steps_(steps),
        all_names_(std::move(all_names)),
        secrets_(secret_texts(options)) {}

  void read(const Entry& step) {
    const std::optional<Entries> entries = entries_of(step);
    if (!entries) return;
    if (const auto parallel = entries->find("parallel"); parallel != entries->end()) {
      read_parallel(parallel->second);
    } else if (const auto run = entries->find("run"); run != entries->end()) {
      read_run(run->second, *entries);
    } else {
      read_fetch(*entries, names_);
    }
  }

 private:
  // The step's entries, by key. Nothing unless the step is a table with exactly one of fetch, run
  // and parallel.
  std::optional<Entries> entries_of(const Entry& step);
  void read_parallel(const Entry& entry);
  void read_run(const Entry& run, const Entries& entries);
  // `seen`: the names that the step's templates may use.
  void read_fetch(const Entries& entries, const std::vector<std::string>& seen);
  void read_request(const Entries& entries, const Scope& scope, master::FetchStep& step);
  void read_body(const Entry& entry, const Scope& scope, RequestTemplate& request);
  void check_body(const Entry& entry, const Scope& scope);
  void read_query(const Entry& entry, const Scope& scope, RequestTemplate& request);
  void read_headers(const Entry& entry, const Scope& scope, RequestTemplate& request);
  void add_common_headers(const Scope& scope, master::FetchStep& step);
  void check_repeatable(const Entries& entries, const master::FetchStep& step);
  // The step's name: the value of `as`, else `otherwise`.
  std::string read_name(const Entries& entries, const std::string& otherwise);
  void add(master::Step step) {
    names_.push_back(name_of(step));
    steps_.push_back(std::move(step));
  }
  void add_fault(const Entry& entry, const std::optional<std::string>& fault) {
    if (fault) problems_.add(entry, *fault);
  }

  Problems& problems_;
  const Options& options_;
  std::vector<master::Step>& steps_;
  std::vector<std::string> names_;  // of the steps so far
  const std::vector<std::string> all_names_;
  const std::map<std::string, std::string> secrets_;
};

std::optional<Entries> StepsReader::entries_of(const Entry& step) {
  Method none;
  Entries entries;
  if (!problems_.expect(
          step, Kind::kTable,
          "{ fetch = \"UPSTREAM\" }, { run = \"HANDLER\" } or { parallel = [...] }")) {
    return {};
  }
  read_table(problems_, step, kStepKeys, none,
             [&](std::string_view key, const Entry& entry) { entries.emplace(key, entry); });
  std::vector<std::string_view> kinds;
  std::ranges::copy_if(kKinds, std::back_inserter(kinds),
                       [&](std::string_view kind) { return entries.contains(kind); });
  if (kinds.size() != 1) {
    problems_.add(step, fmt::format("expected one of fetch, run and parallel, found {}",
                                    kinds.empty() ? "none" : fmt::format("{}", kinds.size())));
    return {};
  }
  for (const auto& [key, entry] : entries) {
    if (key == kinds[0] || kinds[0] == "fetch" || (key == "as" && kinds[0] == "run")) continue;
    problems_.add(entry, "belongs to a fetch step");
  }
  return entries;
}

void StepsReader::read_parallel(const Entry& entry) {
  if (!problems_.expect(entry, Kind::kArray, "an array of fetch steps")) return;
  if (entry.value->items.empty()) return problems_.add(entry, "expected a fetch step, found none");
  const std::vector<std::string> seen = names_;
  const size_t first = steps_.size();
  for (size_t i = 0; i < entry.value->items.size(); ++i) {
    const std::optional<Entries> entries = entries_of(entry.item(i));
    if (!entries) continue;
    if (!entries->contains("fetch")) {
      problems_.add(entry.item(i), "expected a fetch step: only these begin together");
      continue;
    }
    read_fetch(*entries, seen);
    const auto rest = std::span(names_).subspan(seen.size());
    if (!rest.empty() && std::ranges::count(rest, rest.back()) > 1) {
      problems_.add(entry.item(i), fmt::format("another step of this parallel is called {}, "
                                               "too: give one of them another name with `as`",
                                               rest.back()));
    }
  }
  for (size_t i = first + 1; i < steps_.size(); ++i)
    std::get<master::FetchStep>(steps_[i]).is_with_previous = true;
}

void StepsReader::read_run(const Entry& run, const Entries& entries) {
  const auto handler = find_named(problems_, run, options_.handlers, "handler", "handlers");
  if (!handler) return;
  const ipc::HandlerSpec& its = options_.handlers[*handler];
  add(master::RunStep{*handler, its.batch, read_name(entries, its.name)});
}

void StepsReader::read_fetch(const Entries& entries, const std::vector<std::string>& seen) {
  const auto upstream =
      find_named(problems_, entries.at("fetch"), options_.upstreams, "upstream", "upstreams");
  master::FetchStep step;
  step.upstream = upstream.value_or(0);
  if (upstream) step.name = read_name(entries, options_.upstreams[*upstream].name);
  read_request(entries, {seen, &secrets_, true, all_names_}, step);
  if (const auto timeout = entries.find("timeout_ms"); timeout != entries.end()) {
    const Key<Method>& key = *find_key(kStepKeys, "timeout_ms");
    step.timeout_ms =
        problems_.read_number(timeout->second, key.type, key.min, key.max).value_or(0);
  }
  if (const auto optional = entries.find("optional"); optional != entries.end()) {
    problems_.read_flag(optional->second, step.is_optional);
  }
  if (upstream) check_repeatable(entries, step);
  if (upstream) add(std::move(step));
}

// Only an idempotent request may be sent twice, or share its response.
void StepsReader::check_repeatable(const Entries& entries, const master::FetchStep& step) {
  const upstream::UpstreamOptions& upstream = options_.upstreams[step.upstream];
  const std::string_view method = step.request.method();
  const std::string_view key = upstream.cache.is_on()   ? "cache"
                               : upstream.coalesce      ? "coalesce"
                               : upstream.hedge.is_on() ? "hedge"
                                                        : "";
  if (method == "GET" || key.empty()) return;
  const Entry& where = entries.at("fetch");
  if (!upstream.is_idempotent) {
    problems_.add(where, fmt::format("is a {} to an upstream with {}: expected a GET, or "
                                     "idempotent = true in [upstreams.{}]",
                                     method, key, quote_key(upstream.name)));
  } else if (upstream.cache.is_on() && method != "POST") {
    problems_.add(where, fmt::format("is a {} to an upstream with cache: expected a GET or a POST, "
                                     "or another [upstreams.NAME] for it",
                                     method));
  }
}

std::string StepsReader::read_name(const Entries& entries, const std::string& otherwise) {
  const auto as = entries.find("as");
  if (as == entries.end()) return otherwise;
  const auto name = problems_.read_text(as->second, "a name");
  const auto is_other = [](char c) {
    return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '_' || c == '-');
  };
  if (name && std::ranges::any_of(*name, is_other)) {
    problems_.add(as->second, "expected a name of letters, digits, \"_\" and \"-\"");
    return otherwise;
  }
  if (name && std::ranges::find(names_, *name) != names_.end()) {
    problems_.add(as->second, "expected another name: an earlier step has this one");
  } else if (name && upstream::is_source(*name)) {
    problems_.add(as->second, fmt::format("expected another name: ${{{}}} in templates means "
                                          "something else",
                                          *name));
  }
  return name.value_or(otherwise);
}

void StepsReader::read_request(const Entries& entries, const Scope& scope,
                               master::FetchStep& step) {
  for (const auto& [key, entry] : entries) {
    if (key == "body") {
      read_body(entry, scope, step.request);
    } else if (key == "path") {
      const auto path = problems_.read_text(entry, "a path such as \"/users/${params.user_id}\"");
      if (path) add_fault(entry, step.request.set_path(*path, scope));
    } else if (key == "query") {
      read_query(entry, scope, step.request);
    } else if (key == "headers") {
      read_headers(entry, scope, step.request);
    } else if (key == "method") {
      const auto method = problems_.read_text(entry, "an HTTP method");
      if (!method) continue;
      if (std::ranges::find(kHttpMethods, *method) == std::end(kHttpMethods))
        problems_.add_unknown(entry, "method " + quote_string(*method), *method, kHttpMethods);
      step.request.set_method(*method);
    }
  }
  if (step.request.method() == "GET" && step.request.has_body()) {
    problems_.add(entries.at("body"), "a GET has no body; expected another method");
  }
  add_common_headers(scope, step);
  const auto has_query = [](const std::string& url) {
    return url.find_first_of("?#") != std::string::npos;
  };
  if (!step.request.has_target() || options_.upstreams.empty()) return;
  const UpstreamOptions& upstream = options_.upstreams[step.upstream];
  if (has_query(upstream.url) || std::ranges::any_of(upstream.further_urls, has_query)) {
    problems_.add(entries.at("fetch"),
                  "expected an upstream whose url has no \"?\" and \"#\", since this step adds a "
                  "path or query");
  }
}

// Adds the upstream's headers that the step does not set itself, then Accept and Content-Type.
void StepsReader::add_common_headers(const Scope& scope, master::FetchStep& step) {
  if (step.upstream < options_.upstreams.size()) {
    for (const auto& [name, value] : options_.upstreams[step.upstream].headers) {
      if (!step.request.has_header(name))
        std::ignore = step.request.add_header(name, value, scope);  // checked with the upstream
    }
  }
  // add_header() refuses a header that is there already, so the configured ones stay.
  std::ignore = step.request.add_header("Accept", "application/json", scope);
  if (step.request.has_body())
    std::ignore = step.request.add_header("Content-Type", "application/json", scope);
}

void StepsReader::read_body(const Entry& entry, const Scope& scope, RequestTemplate& request) {
  if (entry.value->kind != Kind::kArray &&
      !problems_.expect(entry, Kind::kTable,
                        "a table such as { user_id = \"${params.user_id}\" }")) {
    return;
  }
  const size_t problems = problems_.count();
  check_body(entry, scope);
  const auto json = to_json(problems_, entry);
  if (json && problems_.count() == problems) std::ignore = request.set_body(*json, scope);
}

// Adds a problem, with its line, for each string in the body whose template is invalid.
void StepsReader::check_body(const Entry& entry, const Scope& scope) {
  const Value& value = *entry.value;
  for (size_t i = 0; i < value.items.size(); ++i)
    check_body(entry.item(i), scope);
  for (const Member& member : value.members)
    check_body(entry.member(member), scope);
  if (value.kind != Kind::kString) return;
  RequestTemplate unused;
  add_fault(entry, unused.set_body(json::quote(value.text), scope));
}

void StepsReader::read_query(const Entry& entry, const Scope& scope, RequestTemplate& request) {
  if (!problems_.expect(entry, Kind::kTable, "a table of texts and numbers")) return;
  for (const Member& member : entry.value->members) {
    const Entry field = entry.member(member);
    const Kind kind = member.value.kind;
    if (kind == Kind::kTable || kind == Kind::kArray) {
      problems_.add(field,
                    "expected a text, a number or a boolean, found " + describe(member.value));
    } else if (problems_.expect_text(field, member.key, "a name")) {
      const std::string text = kind == Kind::kString || kind == Kind::kDate
                                   ? member.value.text
                                   : to_json(problems_, field).value_or("");
      add_fault(field, request.add_query(member.key, text, scope));
    }
  }
}

void StepsReader::read_headers(const Entry& entry, const Scope& scope, RequestTemplate& request) {
  for (const auto& [name, value] : read_fields(problems_, entry)) {
    if (const auto fault = request.add_header(name, value, scope))
      problems_.add(entry, fmt::format("{}: {}", name, *fault));
  }
}

}  // namespace

std::vector<std::pair<std::string, std::string>> read_fields(Problems& problems,
                                                             const Entry& entry) {
  std::vector<std::pair<std::string, std::string>> fields;
  if (!problems.expect(entry, Kind::kTable, "a table of texts, such as { Accept = \"text/csv\" }"))
    return fields;
  for (const Member& member : entry.value->members) {
    if (problems.expect(entry.member(member), Kind::kString, "a text"))
      fields.emplace_back(member.key, member.value.text);
  }
  return fields;
}

void read_steps(Problems& problems, const Entry& entry, const Options& options, Method& method) {
  if (!problems.expect(entry, Kind::kArray, "an array of steps")) return;
  std::vector<std::string> all_names;
  find_names(*entry.value, all_names);
  StepsReader reader(problems, options, std::move(all_names), method.steps);
  const size_t problems_before = problems.count();
  for (size_t i = 0; i < entry.value->items.size(); ++i)
    reader.read(entry.item(i));
  for (const master::Step& step : method.steps) {
    const auto* fetch = std::get_if<master::FetchStep>(&step);
    const auto is_client = [](const upstream::Reference& reference) {
      return reference.source == upstream::Reference::Source::kClient;
    };
    if (fetch != nullptr && std::ranges::any_of(fetch->request.references(), is_client))
      method.names_client = true;
  }
  const size_t count = method.steps.size();
  const auto* last = count > 0 ? std::get_if<master::FetchStep>(&method.steps.back()) : nullptr;
  if (last != nullptr && last->is_with_previous) {
    problems.add(entry,
                 "expected a last step with one output, the method's result, found fetches "
                 "that begin together");
  }
  const bool is_known = problems.count() == problems_before || count > master::kMaxSteps;
  if (is_known && (count == 0 || count > master::kMaxSteps)) {
    problems.add(entry, fmt::format("expected 1 to {} steps, found {}", master::kMaxSteps, count));
  }
}

}  // namespace ringmaster::config
