#include "upstream/adaptive_limit.h"

#include <algorithm>
#include <cmath>

namespace ringmaster::upstream {
namespace {

constexpr uint64_t kWindowNs = 100 * kNsPerMs;
constexpr uint64_t kAnswersMin = 20;
constexpr uint64_t kLookNs = 10 * kNsPerS;
constexpr double kFirstLimit = 20;
constexpr double kTolerance = 1.25;

}  // namespace

AdaptiveLimit::AdaptiveLimit(uint64_t max)
    : max_(static_cast<double>(max)), limit_(std::min(kFirstLimit, max_)) {}

uint64_t AdaptiveLimit::limit() const {
  const double limit = look_ == Look::kNone ? limit_ : limit_ / 2;
  return std::max<uint64_t>(static_cast<uint64_t>(limit), 1);
}

void AdaptiveLimit::on_end(uint64_t took_ns, size_t in_flight, uint64_t now_ns) {
  if (answers_ == 0) begin_ns_ = now_ns;
  ++answers_;
  sum_ns_ += static_cast<double>(took_ns);
  in_flight_max_ = std::max(in_flight_max_, in_flight);
  if (answers_ < kAnswersMin || now_ns - begin_ns_ < kWindowNs) return;
  end_window(sum_ns_ / static_cast<double>(answers_), now_ns);
  answers_ = 0;
  sum_ns_ = 0;
  in_flight_max_ = 0;
}

void AdaptiveLimit::end_window(double mean_ns, uint64_t now_ns) {
  const bool is_quiet = static_cast<double>(in_flight_max_) <= limit_ / 2;
  if (look_ == Look::kSettling) {
    look_ = Look::kMeasuring;
    return;
  }
  if (usual_ns_ == 0 || look_ == Look::kMeasuring || is_quiet) {
    usual_ns_ = mean_ns;
    known_ns_ = now_ns;
    look_ = Look::kNone;
    return;
  }
  usual_ns_ = std::min(usual_ns_, mean_ns);
  const double gradient = std::clamp(kTolerance * usual_ns_ / mean_ns, 0.5, 1.0);
  limit_ = std::clamp(limit_ * gradient + std::sqrt(limit_), 1.0, max_);
  if (now_ns - known_ns_ > kLookNs) look_ = Look::kSettling;
}

}  // namespace ringmaster::upstream
