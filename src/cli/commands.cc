#include "cli/commands.h"

#include <fmt/format.h>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/json/scan.h"

namespace ringmaster::cli {
namespace {

std::string array_of(const std::vector<std::string>& items) {
  return fmt::format("[{}]", fmt::join(items, ","));
}

std::string describe_option(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames())
    names.push_back(json::quote("-" + name));
  for (const std::string& name : option.get_lnames())
    names.push_back(json::quote("--" + name));
  if (names.empty()) names.push_back(json::quote(option.get_name()));
  const std::string type = option.get_expected_max() == 0 ? "" : option.get_type_name();
  return fmt::format(R"({{"names":{},"type":{},"help":{}}})", array_of(names), json::quote(type),
                     json::quote(option.get_description()));
}

}  // namespace

std::string describe_commands(const CLI::App& app) {
  std::vector<std::string> options;
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_group().empty()) options.push_back(describe_option(*option));
  }
  std::vector<std::string> commands;
  for (const CLI::App* command : app.get_subcommands({}))
    commands.push_back(describe_commands(*command));
  return fmt::format(R"({{"name":{},"help":{},"footer":{},"options":{},"commands":{}}})",
                     json::quote(app.get_name()), json::quote(app.get_description()),
                     json::quote(app.get_footer()), array_of(options), array_of(commands));
}

}  // namespace ringmaster::cli
