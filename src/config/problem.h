// Problem: one fault in a configuration file, and its place.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace ringmaster::config {

struct Problem {
  std::string file;
  size_t line;      // 0: the file as a whole
  std::string key;  // dotted, as in the file: methods."interests.predict".steps[0].fetch
  std::string message;
};

// conf/x.toml:12: methods.a.timeout_mss: unknown key; did you mean timeout_ms?
std::string to_string(const Problem& problem);
std::vector<std::string> to_strings(const std::vector<Problem>& problems);

}  // namespace ringmaster::config
