#include "upstream/breaker.h"

#include <algorithm>

namespace ringmaster::upstream {
namespace {

constexpr double kCostMax = 2;
constexpr uint64_t kRelapseNs = 10 * kNsPerS;
constexpr double kLeft = 0.5;

}  // namespace

std::optional<Breaker::Pass> Breaker::try_pass(uint64_t now_ns) {
  if (!is_open_) return pass_;
  if (now_ns < probe_ns_) return std::nullopt;
  probe_ns_ = now_ns + isolation_ns_;
  return pass_;
}

Breaker::Change Breaker::on_answer(Pass pass, uint64_t took_ns, uint64_t now_ns) {
  if (pass != pass_) return Change::kNone;
  answer_ns_.add(static_cast<double>(took_ns));
  if (is_open_) {
    close(now_ns);
    return Change::kClosed;
  }
  for (Window* const window : {&short_, &long_})
    window->sum *= window->kept;
  return Change::kNone;
}

Breaker::Change Breaker::on_failure(Pass pass, uint64_t took_ns, uint64_t now_ns) {
  if (pass != pass_) return Change::kNone;
  if (is_open_) {
    if (isolation_ns_ < kIsolationMaxNs) isolation_ns_ *= 2;
    isolate(now_ns);
    return Change::kNone;
  }
  const double usual_ns = answer_ns_.mean();
  const double cost =
      usual_ns > 0 ? std::clamp(static_cast<double>(took_ns) / usual_ns, 1.0, kCostMax) : 1;
  bool is_full = false;
  for (Window* const window : {&short_, &long_}) {
    window->sum += cost;
    is_full |= window->sum >= window->limit;
  }
  if (!is_full) return Change::kNone;
  is_open_ = true;
  opened_ns_ = now_ns;
  ++pass_;
  const bool is_relapse = isolation_ns_ > 0 && now_ns - closed_ns_ < kRelapseNs;
  isolation_ns_ = is_relapse ? std::min(2 * isolation_ns_, isolation_max_ns_) : kIsolationMinNs;
  left_ = is_relapse ? left_ / 2 : kLeft;
  isolate(now_ns);
  return Change::kOpened;
}

void Breaker::forgive(uint64_t now_ns) {
  left_ = kLeft;
  close(now_ns);
  isolation_ns_ = 0;
}

void Breaker::hasten_probe(uint64_t now_ns) {
  probe_ns_ = std::min(probe_ns_, now_ns + kIsolationMaxNs);
}

void Breaker::isolate(uint64_t now_ns) {
  probe_ns_ = now_ns + isolation_ns_;
}

void Breaker::close(uint64_t now_ns) {
  is_open_ = false;
  closed_ns_ = now_ns;
  ++pass_;
  for (Window* const window : {&short_, &long_})
    window->sum = window->limit * (1 - left_);
}

}  // namespace ringmaster::upstream
