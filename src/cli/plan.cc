#include "cli/plan.h"

#include <cstdio>
#include <optional>
#include <string>
#include <utility>

#include "cli/plan_cases.h"
#include "cli/plan_trace.h"
#include "cli/plan_view.h"

namespace ringmaster::cli {

Result<int> plan(const PlanOptions& options) {
  std::optional<MeasuredLoad> measured;
  if (!options.from.empty()) {
    Result<MeasuredLoad> found =
        options.is_traced ? read_traces(options.from) : watch(options.from, options.seconds);
    if (!found) return tl::unexpected(found.error());
    measured = std::move(*found);
  }
  const Result<Plan> made = make_plan(options, measured ? &*measured : nullptr);
  if (!made) return tl::unexpected(made.error());
  const std::string text = options.json ? to_json(*made) + "\n" : to_text(*made);
  std::fputs(text.c_str(), stdout);
  return 0;
}

}  // namespace ringmaster::cli
