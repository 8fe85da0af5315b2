// SpareBudget: how many requests an upstream may get beyond one for each fetch: retries, or hedges.
//
// Pure: no I/O, no time. Each fetch adds a part of a token, and each further request takes a token.
// So the further requests are at most that part of the fetches, plus the first few.
// Limits: at most kTokensMax tokens are kept, so that a quiet hour does not pay for a storm.
#pragma once

#include <algorithm>

namespace ringmaster::upstream {

class SpareBudget {
 public:
  static constexpr double kTokensMax = 10;

  // `part`: the part of a token that a fetch adds. `first`: the tokens at the start.
  SpareBudget(double part, double first) : part_(part), tokens_(first) {}

  void on_fetch() { tokens_ = std::min(tokens_ + part_, kTokensMax); }
  // Twenty times 0.05 must be a token, though the sum of doubles may be a little less.
  bool has_token() const { return tokens_ >= 1 - 1e-9; }
  bool try_take() {
    if (!has_token()) return false;
    tokens_ -= 1;
    return true;
  }

 private:
  double part_;
  double tokens_;
};

}  // namespace ringmaster::upstream
