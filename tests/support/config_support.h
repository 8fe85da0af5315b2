// Shared by the tests of config: a folder for configurations, and problems as text.
#pragma once

#include <doctest/doctest.h>
#include <string>
#include <sys/stat.h>
#include <vector>

#include "config/config.h"
#include "support.h"

namespace ringmaster::config {

// A folder with a configuration, a folder of handlers beside it, and a model.
class Folder : public test::TemporaryFolder {
 public:
  Folder() {
    for (const char* handler : {"interests", "echo", "burn"}) {
      write(std::string("handlers/") + handler + ".so", "");
    }
    write("models/interests.ubj", "");
    ::chmod(write("tls.key", "").c_str(), 0640);
  }

  Loaded load(const std::string& text) const {
    return config::load(write("x.toml", text), {at("handlers")});
  }
};

// The first three lines of most tests' configurations.
inline const std::string kEcho = "[handlers.echo]\n[methods.echo]\nsteps = [{ run = 'echo' }]\n";

// The problems of a text as lines, without the folder's name.
inline std::vector<std::string> problems_of(const std::string& text) {
  const Folder folder;
  std::vector<std::string> lines;
  for (const Problem& problem : folder.load(text).problems) {
    const std::string line = to_string(problem);
    lines.push_back(line.substr(folder.at("").size()));
  }
  return lines;
}

// Whether a text has one problem, and its line contains `expected`.
inline bool has_problem(const std::string& text, const std::string& expected) {
  const std::vector<std::string> lines = problems_of(text);
  const bool found = lines.size() == 1 && lines[0].find(expected) != std::string::npos;
  for (const std::string& line : found ? std::vector<std::string>() : lines)
    MESSAGE(line);
  return found;
}

}  // namespace ringmaster::config
