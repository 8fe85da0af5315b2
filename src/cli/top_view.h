// The view of `ringmaster top`: the lines that two samples make. Pure.
#pragma once

#include <string>
#include <vector>

#include "cli/top_sample.h"

namespace ringmaster::cli {

struct ViewLine {
  std::string text;
  bool is_heading = false;
};

struct ViewSize {
  size_t columns = SIZE_MAX;
  size_t rows = SIZE_MAX;
};

// The changes from `before` to `now`. If `before` is empty or of another server process: since the
// server's start. A table that does not fit is cut, and says how many rows it lacks.
std::vector<ViewLine> view(const Sample& before, const Sample& now, const ViewSize& size);

// The quantile (0 to 1) of what was counted, interpolated in its bucket, as Prometheus does. 0: no
// counts. `bounds_ms`: the upper ends of all buckets but the last.
double quantile_ms(const Counts& counts, const std::vector<double>& bounds_ms, double quantile);

}  // namespace ringmaster::cli
