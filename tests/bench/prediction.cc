// prediction MODEL BODIES: how long the model takes for a user whose features are known: for one
// user at a time, and for 64 at once, as the handler calls it when requests wait.
//
// BODIES is a file as for aggregation.cc. Prints {"row_ns_of_1":...,"row_ns_of_64":...}:
// nanoseconds per user.
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "demo/interests/features.h"
#include "demo/interests/model.h"
#include "measure.h"

namespace {

using namespace ringmaster::interests;

constexpr uint64_t kAtLeastNs = 100'000'000;
constexpr size_t kRows = 64;

double row_ns(const Model& model, const std::vector<Features>& users, size_t rows) {
  const double call_ns = ringmaster::bench::ns_per_call(kRows / rows, kAtLeastNs, [&](size_t i) {
    model.predict({&users[i * rows], rows});
    ringmaster::bench::keep();
  });
  return call_ns / static_cast<double>(rows);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: prediction MODEL BODIES\n");
    return 64;
  }
  std::vector<Features> users;
  std::ifstream lines(argv[2]);
  for (std::string line; users.size() < kRows && std::getline(lines, line);) {
    User user;
    if (const auto fault = read_user(line, "body", user)) {
      std::fprintf(stderr, "prediction: %s\n", fault->c_str());
      return 70;
    }
    users.push_back(user.features);
  }
  if (users.size() < kRows) {
    std::fprintf(stderr, "prediction: expected %zu users, found %zu\n", kRows, users.size());
    return 70;
  }
  const Model model(argv[1]);
  const double of_1 = row_ns(model, users, 1);
  const double of_64 = row_ns(model, users, kRows);
  std::printf("{\"row_ns_of_1\":%.1f,\"row_ns_of_64\":%.1f}\n", of_1, of_64);
  return 0;
}
