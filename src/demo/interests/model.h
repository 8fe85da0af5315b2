// Model: trained trees that score each category, by XGBoost's C API.
//
// Threads: one. Nothing here starts another, whatever OMP_NUM_THREADS says, so the process may be
//          forked after predict() was called, and it should be called once before: XGBoost sets
//          itself up in its first prediction.
// Memory:  the trees are shared by all forked processes: predicting does not write to them.
// Errors:  std::runtime_error.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "demo/interests/features.h"

namespace ringmaster::interests {

class Model {
 public:
  // Loads a model that conf/models/README.md describes. Fails when there is no such file, when it
  // is no model, or one for other features or other classes than ours.
  explicit Model(const std::string& path);

  // The probability of each category, kCategoryCount for each row; they sum to 1. Valid until the
  // next call. Takes some microseconds, and some tens for each row.
  std::span<const float> predict(std::span<const Features> rows) const;

 private:
  struct FreeBooster {
    void operator()(void* booster) const;
  };
  struct FreeMatrix {
    void operator()(void* matrix) const;
  };
  std::unique_ptr<void, FreeBooster> booster_;
  std::unique_ptr<void, FreeMatrix> matrix_;  // what predict() hands rows over in
};

}  // namespace ringmaster::interests
