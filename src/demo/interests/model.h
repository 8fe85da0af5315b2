// Model: trained trees that score each category, by XGBoost's C API.
//
// Threads: one, with any OMP_NUM_THREADS, so the process may fork after predict(). Call predict()
//          once before the fork: XGBoost initialises in its first prediction.
// Memory:  all forked processes share the trees: predict() does not write to them.
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
  // Loads a model that conf/models/README.md describes. Fails if the file is missing, is not a
  // model, or is a model for other features or classes.
  explicit Model(const std::string& path);

  // The probability of each category, kCategoryCount for each row; those of a row sum to 1. Valid
  // until the next call. Cost: see handler.cc.
  std::span<const float> predict(std::span<const Features> rows) const;

 private:
  struct FreeBooster {
    void operator()(void* booster) const;
  };
  struct FreeMatrix {
    void operator()(void* matrix) const;
  };
  std::unique_ptr<void, FreeBooster> booster_;
  std::unique_ptr<void, FreeMatrix> matrix_;  // passes rows to XGBoost
};

}  // namespace ringmaster::interests
