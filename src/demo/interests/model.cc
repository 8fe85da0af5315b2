#include "demo/interests/model.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <stdexcept>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <xgboost/c_api.h>

// From the OpenMP runtime, if XGBoost was built with one.
extern "C" __attribute__((weak)) void omp_set_num_threads(int);

namespace ringmaster::interests {
namespace {

// XGBoost's message has several lines with a stack trace: the first line is the error.
[[noreturn]] void fail(const std::string& what) {
  const std::string_view message = XGBGetLastError();
  throw std::runtime_error(what + ": " + std::string(message.substr(0, message.find('\n'))));
}

void check(int result, const char* what) {
  if (result != 0) fail(std::string("XGBoost: ") + what);
}

// XGBoost would open a FIFO and wait for a writer for ever.
void expect_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  struct stat found {};
  const bool is_open = file >= 0 && ::fstat(file, &found) == 0;
  const int error = errno;
  if (file >= 0) ::close(file);
  if (!is_open) throw std::runtime_error("model " + path + ": " + std::strerror(error));
  if (!S_ISREG(found.st_mode)) throw std::runtime_error("model " + path + ": expected a file");
}

}  // namespace

void Model::FreeBooster::operator()(void* booster) const {
  XGBoosterFree(booster);
}
void Model::FreeMatrix::operator()(void* matrix) const {
  XGDMatrixFree(matrix);
}

Model::Model(const std::string& path) {
  expect_file(path);
  // XGBoost reads trees in a parallel loop that ignores nthread.
  if (omp_set_num_threads != nullptr) omp_set_num_threads(1);
  // XGBoost would write warnings to stderr, which is a log with one event per line.
  check(XGBSetGlobalConfig(R"({"verbosity":0})"), "set verbosity");
  BoosterHandle booster = nullptr;
  check(XGBoosterCreate(nullptr, 0, &booster), "create");
  booster_.reset(booster);
  check(XGBoosterSetParam(booster, "nthread", "1"), "set nthread");
  if (XGBoosterLoadModel(booster, path.c_str()) != 0) fail("model " + path);
  // A model may have its own nthread.
  check(XGBoosterSetParam(booster, "nthread", "1"), "set nthread");
  // Without this matrix XGBoost makes one in every prediction, and reads the CPU quota from /sys
  // for it: over a third of the time of one row.
  DMatrixHandle matrix = nullptr;
  check(XGProxyDMatrixCreate(&matrix), "create a matrix");
  matrix_.reset(matrix);
  bst_ulong feature_count = 0;
  check(XGBoosterGetNumFeature(booster, &feature_count), "count features");
  if (feature_count != kFeatureCount) {
    throw std::runtime_error("model " + path + ": expected one for " +
                             std::to_string(kFeatureCount) + " features, found " +
                             std::to_string(feature_count));
  }
  const Features row{};
  try {
    predict({&row, 1});
  } catch (const std::runtime_error& fault) {
    throw std::runtime_error("model " + path + ": " + fault.what());
  }
}

std::span<const float> Model::predict(std::span<const Features> rows) const {
  char values[160];
  std::snprintf(values, sizeof values,
                R"({"data":[%zu,true],"shape":[%zu,%zu],"typestr":"<f4","version":3})",
                reinterpret_cast<size_t>(rows.data()), rows.size(), kFeatureCount);
  constexpr const char* kHow =
      R"({"type":0,"training":false,"iteration_begin":0,"iteration_end":0,"strict_shape":true,)"
      R"("missing":NaN,"cache_id":0})";
  const bst_ulong* shape = nullptr;
  bst_ulong dimensions = 0;
  const float* scores = nullptr;
  check(XGBoosterPredictFromDense(booster_.get(), values, kHow, matrix_.get(), &shape, &dimensions,
                                  &scores),
        "predict");
  if (dimensions != 2 || shape[0] != rows.size() || shape[1] != kCategoryCount) {
    throw std::runtime_error("expected a model that gives " + std::to_string(kCategoryCount) +
                             " scores for a row, found another");
  }
  return {scores, rows.size() * kCategoryCount};
}

}  // namespace ringmaster::interests
