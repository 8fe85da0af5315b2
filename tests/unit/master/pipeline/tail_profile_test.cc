// The tail profile: the jobs that it wants samples of, its sums, and how slow jobs differ.
#include "master/pipeline/tail_profile.h"

#include <doctest/doctest.h>

#include "base/json/scan.h"
#include "master/pipeline/profile_view.h"

namespace ringmaster::master {
namespace {

using Kind = TailProfile::Kind;

constexpr uint64_t kRunNs = 60 * kNsPerMs;
constexpr uint64_t kRun = 1, kParse = 2, kScore = 3, kSlowBranch = 4, kSpin = 5;  // functions

// One method at a steady 60 ms.
struct Steady {
  TailProfile profile;
  uint64_t now_ns = 1;

  std::optional<Kind> run(uint64_t run_ns, bool has_failed = false) {
    now_ns += kNsPerS;
    return profile.on_run({.run_ns = run_ns, .ended_ns = now_ns}, has_failed);
  }
  Steady() {
    for (uint64_t i = 0; i < TailProfile::kRunsUntilBound; ++i)
      CHECK(run(kRunNs + i % 3 * kNsPerMs) != Kind::kSlow);
  }
};

// `ticks` samples of a stack, outermost first.
ipc::StackSample sample(std::vector<uint64_t> stack, uint32_t ticks = 1) {
  return {ticks, {stack.rbegin(), stack.rend()}};
}

// Adds a run by a worker that has time for any number of ticks.
void add(TailProfile& profile, uint32_t method, size_t step, Kind kind, uint64_t run_ns,
         const std::vector<ipc::StackSample>& samples) {
  static uint64_t now_ns = 0;
  const uint64_t published_ns = now_ns;
  now_ns += 3600 * kNsPerS;
  profile.add({method, step, 0, run_ns, published_ns, now_ns}, kind, samples);
}

ProfileNames names_of(const std::vector<Method>& methods,
                      const std::vector<ipc::HandlerSpec>& handlers) {
  return {methods, handlers, [](uint64_t function) {
            const char* const names[] = {"?",      "run", "parse", "score", "slow_branch(int)",
                                         "sp;in\n"};
            return std::string(names[function]);
          }};
}

void add_slow_branch(TailProfile& profile) {
  for (int i = 0; i < 100; ++i)
    add(profile, 0, 0, Kind::kNormal, kRunNs,
        {sample({kRun, kParse}, 2), sample({kRun, kScore}, 3), sample({kRun, kScore, kSpin})});
  for (int i = 0; i < 5; ++i)
    add(profile, 0, 0, Kind::kSlow, 2 * kRunNs,
        {sample({kRun, kParse}, 2), sample({kRun, kScore}, 3),
         sample({kRun, kSlowBranch, kSpin}, 6)});
}

}  // namespace

TEST_CASE("tail profile: a job is slow beyond the recent mean and three mean deviations") {
  Steady steady;
  const uint64_t bound_ns = steady.profile.steps().at({0, 0}).bound_ns();
  CHECK(bound_ns > kRunNs + kNsPerMs);
  CHECK(bound_ns < kRunNs + 5 * kNsPerMs);
  CHECK(steady.run(bound_ns + 1) == Kind::kSlow);
  CHECK(steady.run(bound_ns - kNsPerMs) != Kind::kSlow);
}

TEST_CASE("tail profile: it wants some of the normal jobs, and all failed ones") {
  Steady steady;
  int normal = 0;
  for (int i = 0; i < 1600; ++i)
    normal += steady.run(kRunNs) == Kind::kNormal;
  CHECK(normal > 50);
  CHECK(normal < 200);
  CHECK(steady.run(kRunNs, true) == Kind::kFailed);
  CHECK(steady.run(10 * kRunNs, true) == Kind::kSlow);
}

TEST_CASE("tail profile: failed jobs do not move the bound") {
  Steady steady;
  const uint64_t bound_ns = steady.profile.steps().at({0, 0}).bound_ns();
  for (int i = 0; i < 100; ++i)
    steady.run(kNsPerMs, true);
  CHECK(steady.profile.steps().at({0, 0}).bound_ns() == bound_ns);
}

TEST_CASE("tail profile: it wants few of many jobs at once, and none that are very short") {
  Steady steady;
  const uint64_t now = steady.now_ns + kNsPerS;
  const TailProfile::Run slow{.run_ns = 10 * kRunNs, .ended_ns = now};
  CHECK(steady.profile.on_run(slow, false) == Kind::kSlow);
  CHECK(!steady.profile.on_run(slow, false));
  CHECK(steady.profile.on_run({.run_ns = kRunNs, .ended_ns = now}, true) == Kind::kFailed);
  TailProfile profile;
  for (uint64_t i = 0; i < 100; ++i)
    CHECK(!profile.on_run({.run_ns = TailProfile::kShortestNs - 1, .ended_ns = i * kNsPerS}, true));
  CHECK(profile.steps().empty());
}

TEST_CASE("tail profile: equal stacks of a method are added up") {
  TailProfile profile;
  add(profile, 0, 0, Kind::kSlow, 5, {sample({kRun, kParse}), sample({kRun, kParse}, 3)});
  add(profile, 0, 0, Kind::kSlow, 6, {sample({kRun, kScore})});
  add(profile, 1, 0, Kind::kSlow, 7, {sample({kRun, kScore})});
  const TailProfile::Jobs& slow = profile.steps().at({0, 0}).jobs[Kind::kSlow];
  CHECK(slow.count == 2);
  CHECK(slow.run_ns == 11);
  CHECK(slow.ticks == 5);
  CHECK(slow.ticks_of.at({kRun, kParse}) == 4);
  CHECK(slow.ticks_of.at({kRun, kScore}) == 1);
  profile.clear();
  CHECK(profile.steps().empty());
}

TEST_CASE("tail profile: any number of different stacks takes bounded memory") {
  TailProfile profile;
  for (uint64_t i = 1; i <= 10 * TailProfile::kStacksMax; ++i) {
    add(profile, 0, 0, Kind::kSlow, 1, {sample({kRun, 100 + i}), sample({kRun, kSlowBranch})});
    REQUIRE(profile.steps().at({0, 0}).jobs[Kind::kSlow].ticks_of.size() < TailProfile::kStacksMax);
  }
  const TailProfile::Jobs& slow = profile.steps().at({0, 0}).jobs[Kind::kSlow];
  const double share =
      static_cast<double>(slow.ticks_of.at({kRun, kSlowBranch})) / static_cast<double>(slow.ticks);
  CHECK(share == doctest::Approx(0.5).epsilon(0.1));
}

TEST_CASE("tail profile: a run has no more ticks than fit between its publication and its end") {
  TailProfile profile;
  std::vector<ipc::StackSample> forged;
  for (uint64_t i = 0; i < 100; ++i)
    forged.push_back(sample({kRun, 100 + i}, i == 0 ? 4 : 1));
  const uint64_t begun_ns = kNsPerS;
  const uint64_t ended_ns = begun_ns + 6 * ipc::kSamplePeriodNs;
  profile.add({.published_ns = begun_ns, .ended_ns = ended_ns}, Kind::kFailed, forged);
  const TailProfile::Jobs& failed = profile.steps().at({0, 0}).jobs[Kind::kFailed];
  CHECK(failed.ticks == 6 + TailProfile::kLateTicks);
  CHECK(failed.ticks_of.at({kRun, 100}) == 4);
  CHECK(failed.ticks_of.at({kRun, 101}) == 1);
  // Runs of 1 ms do not add a tick each: 100 of them add the 10 ticks that fit into their time.
  for (uint64_t i = 1; i <= 100; ++i) {
    const uint64_t now_ns = ended_ns + i * kNsPerMs;
    profile.add({.published_ns = now_ns - kNsPerMs, .ended_ns = now_ns}, Kind::kFailed, forged);
  }
  CHECK(failed.ticks == 16 + TailProfile::kLateTicks);
  profile.add({.worker = 1, .published_ns = begun_ns, .ended_ns = ended_ns}, Kind::kFailed, forged);
  CHECK(failed.ticks == 22 + 2 * TailProfile::kLateTicks);
}

TEST_CASE("tail profile: a method with ever new stacks pushes out no other method's stacks") {
  TailProfile profile;
  std::vector<ipc::StackSample> rare;
  for (uint64_t i = 0; i < 100; ++i)
    rare.push_back(sample({kRun, 100 + i}));
  add(profile, 1, 0, Kind::kSlow, kRunNs, rare);
  for (uint64_t i = 1; i <= 10 * TailProfile::kStacksMax; ++i)
    add(profile, 0, 0, Kind::kFailed, 1, {sample({kRun, 1000 + i})});
  CHECK(profile.steps().at({1, 0}).jobs[Kind::kSlow].ticks_of.size() == 100);
}

TEST_CASE("tail profile: the branch that only slow jobs take comes first, before what it calls") {
  TailProfile profile;
  add_slow_branch(profile);
  const std::vector<Difference> found = differences_of(profile.steps().at({0, 0}));
  REQUIRE(found.size() == 5);
  CHECK(found[0].function == kSlowBranch);
  CHECK(found[0].slow == doctest::Approx(6.0 / 11));
  CHECK(found[0].normal == 0);
  CHECK(found[1].function == kSpin);  // normal jobs call it, too
  CHECK(found[2].function == kRun);   // in all stacks of both
  CHECK(found[2].difference() == 0);
  TailProfile other;
  add(other, 0, 0, Kind::kSlow, 1, {sample({kRun, kSlowBranch, kSpin})});
  CHECK(differences_of(other.steps().at({0, 0})).front().function == kRun);
  CHECK(differences_of(other.steps().at({0, 0})).back().function == kSpin);
}

TEST_CASE("tail profile: a function that calls itself counts once in a stack") {
  TailProfile profile;
  add(profile, 0, 0, Kind::kSlow, 1, {sample({kRun, kParse, kParse, kParse}), sample({kRun})});
  for (const Difference& one : differences_of(profile.steps().at({0, 0})))
    CHECK(one.slow == (one.function == kRun ? 1.0 : 0.5));
}

TEST_CASE("profile view: the functions with most samples are named first") {
  TailProfile profile;
  add_slow_branch(profile);
  CHECK(functions_of(profile) == std::vector<uint64_t>{kRun, kScore, kParse, kSpin, kSlowBranch});
  for (uint64_t i = 0; i < 2 * kFunctionsMax; i += 10) {
    std::vector<uint64_t> stack;
    for (uint64_t function = 0; function < 10; ++function)
      stack.push_back(100 + i + function);
    add(profile, 1, 0, Kind::kNormal, 1, {sample(stack)});
  }
  CHECK(functions_of(profile).size() == kFunctionsMax);
}

TEST_CASE("profile view: JSON, a table, and folded stacks") {
  TailProfile profile;
  add_slow_branch(profile);
  const std::vector<Method> methods = {{"sc\"ore", {}, 1000, 2, {FetchStep{}, RunStep{0}}}};
  const std::vector<ipc::HandlerSpec> handlers = {{"model"}};
  const ProfileNames names = names_of(methods, handlers);
  const std::string json = profile_json(profile, names);
  CHECK(!json::find_fault(json));
  CHECK(
      json.starts_with(R"J({"period_ms":10,"methods":{"sc\"ore":{"bound_ms":0.000,)J"
                       R"J("jobs":{"slow":5,"failed":0,"normal":100},)J"
                       R"J("on_cpu":{"slow":0.9167,"failed":0.0000,"normal":1.0000},)J"
                       R"J("slow":[{"stack":["run","slow_branch(int)","sp;in\n"],"count":30},)J"));
  CHECK(json.find(R"J("differences":[{"function":"slow_branch(int)","slow":0.5455,)J"
                  R"J("normal":0.0000,"difference":0.5455},)J") != std::string::npos);
  const std::string text = profile_text(profile, names);
  CHECK(text.starts_with("sc\"ore: 5 slow jobs (longer than 0.0 ms), 0 failed, 100 normal ones\n"));
  CHECK(text.find("\n 54.5 %   0.0 %     +54.5 %  slow_branch(int)\n") != std::string::npos);
  CHECK(text.find("  sp;in?\n") != std::string::npos);
  CHECK(profile_folded(profile, names)
            .starts_with("sc\"ore;slow;run;parse 10\nsc\"ore;slow;run;score 15\n"
                         "sc\"ore;slow;run;slow_branch(int);sp:in? 30\n"));
  CHECK(profile_text({}, names) == "no method has been sampled yet\n");
}

TEST_CASE("profile view: each of several run steps is named by its handler") {
  TailProfile profile;
  add(profile, 0, 0, Kind::kSlow, 1, {sample({kRun})});
  add(profile, 0, 1, Kind::kSlow, 1, {sample({kRun})});
  const std::vector<Method> methods = {{"score", {}, 1000, 2, {RunStep{1}, RunStep{0}}}};
  const std::vector<ipc::HandlerSpec> handlers = {{"rank"}, {"model"}};
  CHECK(profile_folded(profile, names_of(methods, handlers)) ==
        "score/model;slow;run 1\nscore/rank;slow;run 1\n");
}

}  // namespace ringmaster::master
