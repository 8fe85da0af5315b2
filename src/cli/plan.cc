#include "cli/plan.h"

#include <cstdio>
#include <optional>
#include <string>
#include <utility>

#include "cli/plan_cases.h"
#include "cli/plan_view.h"

namespace ringmaster::cli {

Result<int> plan(const PlanOptions& options) {
  std::optional<MeasuredLoad> measured;
  if (!options.from.empty()) {
    Result<MeasuredLoad> watched = watch(options.from, options.seconds);
    if (!watched) return tl::unexpected(watched.error());
    measured = std::move(*watched);
  }
  const Result<Plan> made = make_plan(options, measured ? &*measured : nullptr);
  if (!made) return tl::unexpected(made.error());
  const std::string text = options.json ? to_json(*made) + "\n" : to_text(*made);
  std::fputs(text.c_str(), stdout);
  return 0;
}

}  // namespace ringmaster::cli
