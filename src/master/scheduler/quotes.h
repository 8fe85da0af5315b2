// Quotes: the times within which a request is done with a probability of 50, 90 and 99 %.
//
// A prediction is not a quote: how long a job waits behind long ones is uncertain. So a quote is a
// prediction times a factor for each probability. The factors are learned from the times that jobs
// then took. Each method has factors for three cases: a worker was free, the client was within its
// share, or the client was beyond its share.
// Pure; the master only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ringmaster::master {

struct Quote {
  static constexpr std::array<double, 3> kProbability = {0.5, 0.9, 0.99};

  std::array<double, 3> ns = {};
  double free = 0;  // the part of the workers' time that was idle lately
};

class Quotes {
 public:
  enum State : uint8_t { kFree, kWithinShare, kBeyondShare };

  void add_method() { factors_.emplace_back(); }

  std::array<double, 3> quote(uint32_t method, State state, double predicted_ns) const {
    std::array<double, 3> ns = factors_[method][state];
    for (double& each : ns)
      each *= predicted_ns;
    return ns;
  }
  // A job with this prediction has taken `took_ns`.
  void learn(uint32_t method, State state, double predicted_ns, double took_ns) {
    for (size_t i = 0; i < 3; ++i) {
      double& factor = factors_[method][state][i];
      factor *= took_ns <= factor * predicted_ns ? kWithin[i] : kOver[i];
    }
  }

 private:
  // exp(0.05 * (p - 1)) and exp(0.05 * p): these factors cancel out if a share p of all jobs is
  // within the quote.
  static constexpr std::array<double, 3> kWithin = {0.9753099, 0.9950125, 0.9995001};
  static constexpr std::array<double, 3> kOver = {1.0253151, 1.0460279, 1.0507462};
  struct Factors : std::array<double, 3> {
    Factors() : std::array<double, 3>{1, 1.2, 1.5} {}
  };

  std::vector<std::array<Factors, 3>> factors_;
};

}  // namespace ringmaster::master
