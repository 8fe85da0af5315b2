// The commands and their options as JSON: scripts/options.py makes man pages and completions of it.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace ringmaster::cli {

// {"name", "help", "footer", "options": [{"names", "type", "help"}], "commands": [...]}; the
// commands have the same form. Options without a group are hidden, and left out.
std::string describe_commands(const CLI::App& app);

}  // namespace ringmaster::cli
