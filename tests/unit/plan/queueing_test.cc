// The formulas against published values and against exact solutions.
#include "plan/queueing.h"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <vector>

namespace ringmaster::plan {
namespace {

// The exact mean wait of M/D/c; each service takes 1. The number of requests in the system, seen
// once in each service time, is a Markov chain: a request that runs then is done one service time
// later.
double exact_mean_wait(size_t workers, double rate) {
  const size_t states = 40 * workers + 400;
  std::vector<double> arrivals(states, 0);
  arrivals[0] = std::exp(-rate);
  for (size_t i = 1; i < states; ++i)
    arrivals[i] = arrivals[i - 1] * rate / static_cast<double>(i);
  std::vector<double> now(states, 0);
  now[0] = 1;
  double waiting = 0;
  for (double before = -1; std::abs(waiting - before) > 1e-9;) {
    before = waiting;
    std::vector<double> next(states, 0);
    for (size_t n = 0; n < states; ++n) {
      if (now[n] < 1e-15) continue;
      const size_t left = n - std::min(n, workers);
      for (size_t k = 0; k + left < states; ++k) {
        if (static_cast<double>(k) > rate && arrivals[k] < 1e-15) break;
        next[left + k] += now[n] * arrivals[k];
      }
    }
    now = next;
    waiting = 0;
    for (size_t n = workers; n < states; ++n)
      waiting += now[n] * static_cast<double>(n - workers);
  }
  return waiting / rate;
}

// The exact part of the requests that wait longer than `t` in M/D/1 (A. K. Erlang, 1909); each
// service takes 1.
double exact_longer_than(double t, double rate) {
  double sum = 0;
  double factorial = 1;
  for (int k = 0; k <= static_cast<int>(t); ++k) {
    if (k > 0) factorial *= k;
    sum += std::pow(rate * (k - t), k) / factorial * std::exp(-rate * (k - t));
  }
  return 1 - (1 - rate) * sum;
}

}  // namespace

// L. Kleinrock, "Queueing Systems", vol. 1 (1975), and the tables of traffic engineering: a load of
// 1 on 2 workers gives 1/3, a load of 2 on 3 workers 4/9, and so on.
TEST_CASE("queueing: Erlang C has its published values") {
  CHECK(erlang_c(1, 0.5) == doctest::Approx(0.5));
  CHECK(erlang_c(2, 1) == doctest::Approx(1.0 / 3));
  CHECK(erlang_c(3, 2) == doctest::Approx(4.0 / 9));
  CHECK(erlang_c(5, 4) == doctest::Approx(0.5541).epsilon(1e-4));
  CHECK(erlang_c(10, 8) == doctest::Approx(0.4092).epsilon(1e-4));
}

TEST_CASE("queueing: with exponential service the wait is that of M/M/c") {
  const Wait wait = allen_cunneen(2, 1, 1, 1, 1);
  CHECK(wait.probability == doctest::Approx(1.0 / 3));
  CHECK(wait.mean_s == doctest::Approx(1.0 / 3));
  CHECK(wait.longer_than(2) == doctest::Approx(std::exp(-2.0) / 3));
  CHECK(wait.longer_than(wait.percentile_s(0.99)) == doctest::Approx(0.01));
  CHECK(wait.percentile_s(0.5) == 0);
}

TEST_CASE("queueing: for one worker the mean wait is exact, whatever the service") {
  for (const double rate : {0.3, 0.8, 0.95}) {
    CHECK(allen_cunneen(1, rate, 1, 1, 0).mean_s == doctest::Approx(rate / (2 * (1 - rate))));
    CHECK(exact_mean_wait(1, rate) == doctest::Approx(rate / (2 * (1 - rate))).epsilon(1e-4));
  }
}

TEST_CASE("queueing: for constant service the mean wait is at most 16 % below the exact one") {
  for (const size_t workers : {2, 8, 34}) {
    for (const double utilisation : {0.8, 0.9}) {
      const double rate = utilisation * static_cast<double>(workers);
      const double exact = exact_mean_wait(workers, rate);
      const double found = allen_cunneen(workers, rate, 1, 1, 0).mean_s;
      CAPTURE(workers);
      CAPTURE(utilisation);
      MESSAGE(workers, " workers at ", utilisation, ": ", found / exact, " of the exact wait");
      CHECK(found <= exact);
      CHECK(found >= 0.84 * exact);
    }
  }
}

TEST_CASE("queueing: with constant service 0.4 to 1 % of the requests wait longer than the p99") {
  for (const double rate : {0.5, 0.8, 0.9}) {
    const double t = allen_cunneen(1, rate, 1, 1, 0).percentile_s(0.99);
    CAPTURE(rate);
    MESSAGE("at ", rate, " the formula's p99 is exceeded by ", exact_longer_than(t, rate));
    CHECK(exact_longer_than(t, rate) <= 0.01);
    CHECK(exact_longer_than(t, rate) >= 0.004);
  }
}

TEST_CASE("queueing: no load, no wait") {
  const Wait wait = allen_cunneen(4, 0, 1, 1, 1);
  CHECK(wait.probability == 0);
  CHECK(wait.longer_than(0) == 0);
  CHECK(wait.percentile_s(0.99) == 0);
}

}  // namespace ringmaster::plan
