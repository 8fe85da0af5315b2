// Fates: draws a delay and a fault for each request from a seed.
//
// Every request draws one delay and at most one fault, in the order in which requests arrive, so
// with the same seed, requests sent one after the other have the same fates.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "demo/feature_service/random.h"

namespace ringmaster::feature_service {

enum class Fault : uint8_t {
  kNone,
  kFail,      // 500
  kHang,      // never answers; the connection stays open until the client closes it
  kSlowDrip,  // the right answer, but its body one byte at a time
  kGarbage,   // 200 with bytes that are not JSON
  kHuge,      // 200 with a list of events that never ends
  kClose,     // the connection closes in the middle of a body with a Content-Length
};
inline constexpr size_t kFaultCount = 7;

// "none", "fail", "hang", "slow-drip", "garbage", "huge", "close".
std::span<const std::string_view> fault_names();
std::optional<Fault> fault_named(std::string_view name);

// All have a mean of delay_ms. uniform: from 0 to twice the mean; exponential: of any length, 1 in
// 100 above 4.6 times the mean; lognormal (sigma 0.5 of the logarithm): 1 in 100 above 2.8 times.
enum class DelayDistribution : uint8_t { kConstant, kUniform, kExponential, kLognormal };

std::span<const std::string_view> distribution_names();  // in the order of the enumeration

struct FateOptions {
  uint64_t delay_ms = 0;
  DelayDistribution distribution = DelayDistribution::kConstant;
  std::array<double, kFaultCount> rates{};  // by Fault; that of kNone is ignored
  uint64_t seed = 1;
};

struct Fate {
  Fault fault;
  uint64_t delay_ms;
};

class Fates {
 public:
  // REQUIRES: rates from 0 to 1, in sum at most 1.
  explicit Fates(const FateOptions& options);

  Fate draw();

  // For the bytes of garbage.
  Random& random() { return random_; }

 private:
  Fault draw_fault();
  double draw_delay_ms();

  const FateOptions options_;
  Random random_;
};

}  // namespace ringmaster::feature_service
