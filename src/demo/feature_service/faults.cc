#include "demo/feature_service/faults.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/assert.h"

namespace ringmaster::feature_service {
namespace {

constexpr std::string_view kFaultNames[kFaultCount] = {"none",    "fail", "hang", "slow-drip",
                                                       "garbage", "huge", "close"};
constexpr std::string_view kDistributionNames[] = {"constant", "uniform", "exponential",
                                                   "lognormal"};
constexpr double kLognormalSigma = 0.5;

}  // namespace

std::span<const std::string_view> fault_names() {
  return kFaultNames;
}

std::optional<Fault> fault_named(std::string_view name) {
  const auto found = std::find(std::begin(kFaultNames), std::end(kFaultNames), name);
  if (found == std::end(kFaultNames)) return std::nullopt;
  return static_cast<Fault>(found - std::begin(kFaultNames));
}

std::span<const std::string_view> distribution_names() {
  return kDistributionNames;
}

Fates::Fates(const FateOptions& options) : options_(options), random_(options.seed) {
  double sum = 0;
  for (size_t i = 1; i < kFaultCount; ++i) {
    sum += options.rates[i];
  }
  RM_ASSERT(sum <= 1 + 1e-9);
}

Fate Fates::draw() {
  // Separate statements: the compiler chooses the order in which arguments are evaluated.
  const Fault fault = draw_fault();
  const double delay_ms = draw_delay_ms();
  return {fault, static_cast<uint64_t>(std::llround(delay_ms))};
}

Fault Fates::draw_fault() {
  double left = random_.uniform();
  for (size_t i = 1; i < kFaultCount; ++i) {
    if (left < options_.rates[i]) return static_cast<Fault>(i);
    left -= options_.rates[i];
  }
  return Fault::kNone;
}

double Fates::draw_delay_ms() {
  const double mean = static_cast<double>(options_.delay_ms);
  // u and v are drawn for every distribution, so that the faults are the same with each. u is never
  // 0: the logarithm of 0 is infinite.
  const double u = 1 - random_.uniform();
  const double v = random_.uniform();
  switch (options_.distribution) {
    case DelayDistribution::kConstant:
      return mean;
    case DelayDistribution::kUniform:
      return 2 * mean * v;
    case DelayDistribution::kExponential:
      return -mean * std::log(u);
    case DelayDistribution::kLognormal: {
      // Box-Muller; half the variance is subtracted so that `mean` is the mean, not the median.
      const double normal = std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
      return mean * std::exp(kLognormalSigma * normal - kLognormalSigma * kLognormalSigma / 2);
    }
  }
  RM_ASSERT(false && "a distribution");
}

}  // namespace ringmaster::feature_service
