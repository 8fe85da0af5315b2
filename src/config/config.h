// The configuration file: TOML in, master::Options out.
//
// load() does not stop at the first problem: an operator gets all of them in one run. It reads the
// file and checks the files that it names; it loads no model, opens no socket, resolves no host.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/options.h"
#include "config/paths.h"
#include "config/problem.h"

namespace ringmaster::config {

struct Loaded {
  // Complete and checked if there are no problems; else do not use it.
  master::Options options;
  std::vector<Problem> problems;  // in the order of their lines
};

// Bare names of handler libraries are looked up in `handler_folders`.
Loaded load(const std::string& path,
            std::vector<std::string> handler_folders = default_handler_folders());

// The same for a text without a file. Problems name the file `path`, and relative paths are looked
// up in its folder.
Loaded load_text(const std::string& path, std::string_view text,
                 std::vector<std::string> handler_folders = default_handler_folders());

// The effective configuration as TOML, every default written out: loads to the same options.
std::string dump(const master::Options& options);

}  // namespace ringmaster::config
