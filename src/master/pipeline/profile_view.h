// The tail profile as JSON and as text.
//
// Pure; the master only.
// Limits: the JSON has the kStacksShown stacks of each kind that have most samples.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "config/options.h"
#include "ipc/handler_spec.h"
#include "master/pipeline/tail_profile.h"

namespace ringmaster::master {

inline constexpr size_t kStacksShown = 30;
inline constexpr size_t kDifferencesShown = 20;
inline constexpr size_t kFunctionsMax = 1000;

// The names that the views show: `methods` and `handlers` by their numbers.
struct ProfileNames {
  std::span<const Method> methods;
  std::span<const ipc::HandlerSpec> handlers;
  std::function<std::string(uint64_t address)> function;  // for people
};

// The functions with the most samples, at most kFunctionsMax: only these need names.
std::vector<uint64_t> functions_of(const TailProfile& profile);

// A function's share of a step's CPU time, with the functions that it has called.
struct Difference {
  uint64_t function;
  double slow;    // in the slow jobs
  double normal;  // in the normal jobs
  double depth;   // its mean distance from the outermost frame

  double difference() const { return slow - normal; }
};
// The functions of the slow jobs, the largest difference first. If two functions have the same
// difference, the outer one is first: it has called the other. At most kDifferencesShown.
std::vector<Difference> differences_of(const TailProfile::Step& step);

// One line:
//   {"period_ms":10,"methods":{"score":{"bound_ms":41.2,"jobs":{"slow":12,"failed":0,"normal":40},
//    "on_cpu":{"slow":0.62,"failed":0,"normal":0.97},
//    "slow":[{"stack":["run",...,"spin"],"count":310},...],"failed":[...],"normal":[...],
//    "differences":[{"function":"spin","slow":0.6,"normal":0,"difference":0.6},...]}}}
// A stack begins with its outermost frame; `count`: in ticks of `period_ms`. `on_cpu`: the part of
// their time that the jobs were on a CPU; for the rest they slept, or waited for a CPU. `bound_ms`:
// jobs that take longer are slow; 0: it is not known yet. A method with several run steps has a
// member for each of them, "score/HANDLER".
std::string profile_json(const TailProfile& profile, const ProfileNames& names);
// What slow jobs do differently: a table for each method.
std::string profile_text(const TailProfile& profile, const ProfileNames& names);
// A line for each stack, "score;slow;run;...;spin 310": the input of tools that draw flame graphs.
std::string profile_folded(const TailProfile& profile, const ProfileNames& names);

}  // namespace ringmaster::master
