#include "master/pipeline/profile_view.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "base/json/scan.h"

namespace ringmaster::master {
namespace {

using Step = TailProfile::Step;
using Jobs = TailProfile::Jobs;

constexpr std::string_view kKindNames[] = {"slow", "failed", "normal"};
static_assert(std::size(kKindNames) == TailProfile::kKinds);

// A method with one run step goes by its own name; else each run step has a name.
std::string name_of(const ProfileNames& names, std::pair<uint32_t, size_t> at) {
  const Method& method = names.methods[at.first];
  if (std::ranges::count_if(method.steps, is_run) == 1) return method.name;
  return method.name + '/' +
         names.handlers[std::get<RunStep>(method.steps[at.second]).handler].name;
}

struct Sums {
  uint64_t ticks = 0;
  uint64_t depths = 0;  // the function's depth in each tick, added up
};

// A function counts once in a stack, at its outermost place, however often it has called itself.
std::map<uint64_t, Sums> functions_in(const Jobs& jobs) {
  std::map<uint64_t, Sums> found;
  for (const auto& [stack, ticks] : jobs.ticks_of) {
    std::set<uint64_t> seen;
    for (size_t depth = 0; depth < stack.size(); ++depth) {
      if (!seen.insert(stack[depth]).second) continue;
      Sums& sums = found[stack[depth]];
      sums.ticks += ticks;
      sums.depths += ticks * depth;
    }
  }
  return found;
}

double share(uint64_t part, uint64_t all) {
  return all == 0 ? 0 : static_cast<double>(part) / static_cast<double>(all);
}

double on_cpu(const Jobs& jobs) {
  return std::min(1.0, share(jobs.ticks * ipc::kSamplePeriodNs, jobs.run_ns));
}

using Counted = std::pair<const TailProfile::Stack*, uint64_t>;

// The stacks with the most ticks, the most frequent one first.
std::vector<Counted> most_frequent(const Jobs& jobs) {
  std::vector<Counted> stacks;
  for (const auto& [stack, ticks] : jobs.ticks_of)
    stacks.emplace_back(&stack, ticks);
  std::ranges::stable_sort(stacks, std::greater(), &Counted::second);
  stacks.resize(std::min(stacks.size(), kStacksShown));
  return stacks;
}

// `one_of(jobs)` of each kind, as the members of an object.
template <class OneOf>
std::string by_kind(const Step& step, OneOf one_of) {
  std::string members;
  for (size_t kind = 0; kind < TailProfile::kKinds; ++kind) {
    members += fmt::format(R"({}"{}":{})", members.empty() ? "" : ",", kKindNames[kind],
                           one_of(step.jobs[kind]));
  }
  return members;
}

std::string stacks_json(const Jobs& jobs, const ProfileNames& names) {
  std::string stacks;
  for (const auto& [stack, ticks] : most_frequent(jobs)) {
    std::string frames;
    for (const uint64_t function : *stack)
      frames += (frames.empty() ? "" : ",") + json::quote(names.function(function));
    stacks +=
        fmt::format(R"({}{{"stack":[{}],"count":{}}})", stacks.empty() ? "" : ",", frames, ticks);
  }
  return '[' + stacks + ']';
}

std::string step_json(const Step& step, const ProfileNames& names) {
  std::string differences;
  for (const Difference& one : differences_of(step)) {
    differences +=
        fmt::format(R"({}{{"function":{},"slow":{:.4f},"normal":{:.4f},"difference":{:.4f}}})",
                    differences.empty() ? "" : ",", json::quote(names.function(one.function)),
                    one.slow, one.normal, one.difference());
  }
  return fmt::format(
      R"({{"bound_ms":{:.3f},"jobs":{{{}}},"on_cpu":{{{}}},{},"differences":[{}]}})",
      static_cast<double>(step.bound_ns()) / kNsPerMs,
      by_kind(step, [](const Jobs& jobs) { return jobs.count; }),
      by_kind(step, [](const Jobs& jobs) { return fmt::format("{:.4f}", on_cpu(jobs)); }),
      by_kind(step, [&](const Jobs& jobs) { return stacks_json(jobs, names); }), differences);
}

// Text from a worker, or from a handler's symbols, may have any bytes.
std::string in_one_line(std::string text) {
  std::ranges::replace_if(
      text, [](unsigned char c) { return c < ' ' || c == 0x7f; }, '?');
  return text;
}

std::string step_text(const Step& step, const ProfileNames& names) {
  const Jobs& slow = step.jobs[TailProfile::kSlow];
  const Jobs& normal = step.jobs[TailProfile::kNormal];
  std::string text = fmt::format(
      "{} slow jobs (longer than {:.1f} ms), {} failed, {} normal ones\n"
      "on a CPU: slow jobs {:.0f} % of their time, normal ones {:.0f} %\n",
      slow.count, static_cast<double>(step.bound_ns()) / kNsPerMs,
      step.jobs[TailProfile::kFailed].count, normal.count, 100 * on_cpu(slow),
      100 * on_cpu(normal));
  if (slow.ticks == 0) return text + "no samples of slow jobs yet\n";
  text += "   slow  normal  difference  function, with those that it has called\n";
  for (const Difference& one : differences_of(step)) {
    text += fmt::format("{:5.1f} % {:5.1f} %    {:+6.1f} %  {}\n", 100 * one.slow, 100 * one.normal,
                        100 * one.difference(), in_one_line(names.function(one.function)));
  }
  return text;
}

}  // namespace

std::vector<uint64_t> functions_of(const TailProfile& profile) {
  std::map<uint64_t, uint64_t> ticks_of;
  for (const auto& [at, step] : profile.steps()) {
    for (const Jobs& jobs : step.jobs) {
      for (const auto& [function, sums] : functions_in(jobs))
        ticks_of[function] += sums.ticks;
    }
  }
  std::vector<std::pair<uint64_t, uint64_t>> sorted(ticks_of.begin(), ticks_of.end());
  std::ranges::stable_sort(sorted, std::greater(), &std::pair<uint64_t, uint64_t>::second);
  sorted.resize(std::min(sorted.size(), kFunctionsMax));
  std::vector<uint64_t> functions;
  for (const auto& [function, ticks] : sorted)
    functions.push_back(function);
  return functions;
}

std::vector<Difference> differences_of(const TailProfile::Step& step) {
  const Jobs& slow = step.jobs[TailProfile::kSlow];
  const Jobs& normal = step.jobs[TailProfile::kNormal];
  const std::map<uint64_t, Sums> in_normal = functions_in(normal);
  std::vector<Difference> differences;
  for (const auto& [function, sums] : functions_in(slow)) {
    const auto its = in_normal.find(function);
    const uint64_t normal_ticks = its == in_normal.end() ? 0 : its->second.ticks;
    differences.push_back({function, share(sums.ticks, slow.ticks),
                           share(normal_ticks, normal.ticks), share(sums.depths, sums.ticks)});
  }
  std::ranges::stable_sort(differences, [](const Difference& a, const Difference& b) {
    if (a.difference() != b.difference()) return a.difference() > b.difference();
    return a.depth < b.depth;
  });
  differences.resize(std::min(differences.size(), kDifferencesShown));
  return differences;
}

std::string profile_json(const TailProfile& profile, const ProfileNames& names) {
  std::string methods;
  for (const auto& [at, step] : profile.steps()) {
    methods += fmt::format("{}{}:{}", methods.empty() ? "" : ",", json::quote(name_of(names, at)),
                           step_json(step, names));
  }
  return fmt::format(R"({{"period_ms":{},"methods":{{{}}}}})", ipc::kSamplePeriodNs / kNsPerMs,
                     methods);
}

std::string profile_text(const TailProfile& profile, const ProfileNames& names) {
  std::string text;
  for (const auto& [at, step] : profile.steps()) {
    text += fmt::format("{}{}: {}", text.empty() ? "" : "\n", in_one_line(name_of(names, at)),
                        step_text(step, names));
  }
  return text.empty() ? "no method has been sampled yet\n" : text;
}

std::string profile_folded(const TailProfile& profile, const ProfileNames& names) {
  std::string text;
  for (const auto& [at, step] : profile.steps()) {
    for (size_t kind = 0; kind < TailProfile::kKinds; ++kind) {
      for (const auto& [stack, ticks] : step.jobs[kind].ticks_of) {
        std::string line = fmt::format("{};{}", name_of(names, at), kKindNames[kind]);
        for (const uint64_t function : stack) {
          line += ';';
          for (const char c : names.function(function))
            line += c == ';' ? ':' : c;
        }
        text += in_one_line(std::move(line)) + fmt::format(" {}\n", ticks);
      }
    }
  }
  return text;
}

}  // namespace ringmaster::master
