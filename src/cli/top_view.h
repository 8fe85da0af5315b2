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

}  // namespace ringmaster::cli
