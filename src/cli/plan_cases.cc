#include "cli/plan_cases.h"

#include <fmt/format.h>
#include <utility>

#include "cli/command_rules.h"
#include "plan/formula.h"
#include "plan/simulate.h"

namespace ringmaster::cli {
namespace {

// Requests of each case. At 90 % load the p99 of a tenth of them varies by 10 %.
constexpr uint64_t kSimulated = 1'000'000;
// Requests a second for each node. With fewer, the simulated time could exceed 64 bits of ns.
constexpr double kSimulatedRateMin = 1e-4;
// The time of Erlang C grows with the number of workers: some 4 s for so many.
constexpr double kBusyMax = 1e7;

plan::Load given_load(const PlanOptions& options) {
  plan::MethodLoad method{"request", options.rps,
                          plan::gamma_times(options.cpu_ms / 1e3, options.cpu_cv),
                          plan::gamma_times(options.io_ms / 1e3, 0)};
  return {{std::move(method)}};
}

plan::Load changed(plan::Load load, const PlanOptions& options) {
  for (plan::MethodLoad& method : load.methods) {
    method.rate *= options.load_factor;
    if (method.fetch.mean_s > 0) method.fetch = plan::longer(method.fetch, options.io_add_ms / 1e3);
  }
  return load;
}

Result<size_t> changed(const char* option, const CountChange& change, size_t count) {
  if (change.value < 0 && count <= static_cast<size_t>(-change.value)) {
    return usage(fmt::format("plan: {} {}: there are {}: expected to leave at least one", option,
                             change.text, count));
  }
  return change.applied_to(count);
}

// The fleet of the options and the measured servers. The promise may change the nodes later.
Result<plan::Fleet> find_fleet(const PlanOptions& options, const MeasuredLoad* measured) {
  const plan::Fleet before =
      measured == nullptr ? plan::Fleet{1, options.cores_per_node} : measured->fleet;
  const Result<size_t> nodes = changed("--nodes", options.nodes, before.nodes);
  if (!nodes) return tl::unexpected(nodes.error());
  const Result<size_t> workers = changed("--workers", options.workers, before.workers);
  if (!workers) return tl::unexpected(workers.error());
  return plan::Fleet{*nodes, *workers};
}

PlanCase make_case(const PlanOptions& options, const char* title, const plan::Load& load,
                   const plan::Formula& formula, const plan::Fleet& fleet) {
  const plan::Estimate estimate = formula.estimate(fleet);
  PlanCase made{title,
                load,
                fleet,
                {{"formula", estimate}},
                plan::needs_of(load, fleet, estimate, options.payload_bytes)};
  if (options.simulate) {
    made.columns.push_back({"simulated", plan::simulate(load, fleet, options.seed, kSimulated)});
  }
  return made;
}

bool is_changed(const PlanOptions& options) {
  return options.load_factor != 1 || options.io_add_ms > 0 || options.workers.is_given() ||
         options.nodes.is_given();
}

Status check_size(const PlanOptions& options, const plan::Load& load, const plan::Fleet& fleet) {
  if (!(load.busy() <= kBusyMax)) {
    return usage(
        fmt::format("plan: expected a load that keeps at most {:g} workers busy, found {:g}",
                    kBusyMax, load.busy()));
  }
  const double rate = load.rate() / static_cast<double>(fleet.nodes + 1);
  if (!options.simulate || rate >= kSimulatedRateMin) return {};
  return usage(fmt::format(
      "plan: --simulate: expected at least {:g} requests a second for each node, found {:g}",
      kSimulatedRateMin, rate));
}

Status check_promise(const plan::Formula& formula, const PlanOptions& options) {
  if (formula.own_p99_s() * 1e3 < options.p99_ms) return {};
  return usage(fmt::format(
      "plan: --p99-ms: expected more than {:.4g} ms, since 1 of 100 requests takes as long even "
      "if it never waits for a worker, found {:g}",
      formula.own_p99_s() * 1e3, options.p99_ms));
}

}  // namespace

Result<Plan> make_plan(const PlanOptions& options, const MeasuredLoad* measured) {
  Plan made;
  made.is_traced = options.is_traced;
  plan::Load before = measured == nullptr ? given_load(options) : measured->load;
  if (options.at_once > 0) before.at_once = options.at_once;
  before.timeout_s = options.timeout_ms / 1e3;
  made.load = changed(before, options);
  const plan::Formula formula(made.load, options.seed);
  Result<plan::Fleet> fleet = find_fleet(options, measured);
  if (!fleet) return tl::unexpected(fleet.error());
  if (Status fits = check_size(options, made.load, *fleet); !fits)
    return tl::unexpected(fits.error());
  if (options.p99_ms > 0) {
    if (Status possible = check_promise(formula, options); !possible)
      return tl::unexpected(possible.error());
    made.promise = {options.p99_ms / 1e3};
    made.workers_needed = plan::workers_needed(formula, *made.promise);
    made.nodes_needed = plan::nodes_needed(formula, *made.promise, fleet->workers);
  }
  const auto add = [&](const char* title, size_t nodes) {
    made.cases.push_back(make_case(options, title, made.load, formula, {nodes, fleet->workers}));
  };
  if (measured != nullptr) {
    made.cases.push_back(make_case(options, "as it is", before, plan::Formula(before, options.seed),
                                   measured->fleet));
    made.cases.back().columns.push_back({"measured", measured->estimate});
    if (is_changed(options)) add("what if", fleet->nodes);
    return made;
  }
  const bool is_sized = made.promise && !options.nodes.is_given();
  if (is_sized) fleet->nodes = made.nodes_needed;
  if (fleet->nodes > 1) add("one down", fleet->nodes - 1);
  add(is_sized ? "needed" : "as given", fleet->nodes);
  if (is_sized) add("one spare", fleet->nodes + 1);
  return made;
}

}  // namespace ringmaster::cli
