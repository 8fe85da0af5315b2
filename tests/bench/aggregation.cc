// aggregation BODIES CODES: measures how long our code takes for a user's features.
// aggregation.py measures the other systems.
//
// BODIES holds one user a line, as the feature service writes them; CODES the same users' events
// as category numbers, one byte each: to the handler, a parsed event is such a number. All users
// have the same number of events. The program goes through the users again and again, but takes no
// user twice in a row: then the processor would predict every branch.
//
// Prints {"add_ns":...,"read_ns":...,"features":[[...],...]}: nanoseconds per user, for the events
// alone and from the bytes of the body, and each user's features. Both ways must give the same.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "demo/interests/features.h"
#include "measure.h"

namespace {

using namespace ringmaster::interests;
using ringmaster::bench::keep;
using ringmaster::bench::ns_per_call;

constexpr uint64_t kAtLeastNs = 20'000'000;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "aggregation: %s\n", what.c_str());
  std::exit(70);
}

Features features_of_codes(const char* codes, size_t count) {
  History history;
  for (size_t i = 0; i < count; ++i)
    history.add(static_cast<uint8_t>(codes[i]));
  Features features;
  history.write(features);
  return features;
}

Features features_of_body(const std::string& body) {
  User user;
  const std::optional<std::string> fault = read_user(body, "body", user);
  if (fault) fail(*fault);
  return user.features;
}

void print(double add_ns, double read_ns, const std::vector<Features>& users) {
  std::printf("{\"add_ns\":%.1f,\"read_ns\":%.1f,\"features\":[", add_ns, read_ns);
  for (const Features& features : users) {
    std::printf("%s[", &features == users.data() ? "" : ",");
    for (size_t i = 0; i < features.size(); ++i)
      std::printf("%s%.0f", i == 0 ? "" : ",", static_cast<double>(features[i]));
    std::printf("]");
  }
  std::printf("]}\n");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: aggregation BODIES CODES\n");
    return 64;
  }
  std::vector<std::string> bodies;
  std::ifstream lines(argv[1]);
  for (std::string line; std::getline(lines, line);)
    bodies.push_back(line);
  std::ifstream bytes(argv[2], std::ios::binary);
  const std::string codes(std::istreambuf_iterator<char>(bytes), {});
  if (bodies.empty() || codes.size() % bodies.size() != 0) fail("the files do not fit together");

  const size_t count = codes.size() / bodies.size();
  std::vector<Features> users;
  for (size_t i = 0; i < bodies.size(); ++i) {
    users.push_back(features_of_body(bodies[i]));
    if (users[i] != features_of_codes(&codes[i * count], count)) fail("our two ways differ");
  }
  Features features;
  const double add_ns = ns_per_call(bodies.size(), kAtLeastNs, [&](size_t i) {
    features = features_of_codes(&codes[i * count], count);
    keep();
  });
  const double read_ns = ns_per_call(bodies.size(), kAtLeastNs, [&](size_t i) {
    features = features_of_body(bodies[i]);
    keep();
  });
  print(add_ns, read_ns, users);
  return 0;
}
