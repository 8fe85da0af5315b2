// Paths: finds the files that a configuration names.
//
// A relative path is looked up in the configuration file's folder, then in the working folder. A
// handler library may also be a bare name: `interests` is interests.so in one of the folders of
// handlers.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "tl/expected.hpp"

namespace ringmaster::config {

// handlers/ beside the running executable (a build folder), then lib/ringmaster/handlers beside the
// executable's folder (an installation: PREFIX/bin and PREFIX/lib).
std::vector<std::string> default_handler_folders();

// Without "." and ".."; a relative path is relative to the working folder.
std::filesystem::path absolute_path(const std::filesystem::path& path);

// "; did you mean conf/models/interests.ubj?" if the folder has a file with a similar name.
std::string did_you_mean_file(const std::filesystem::path& path);

class Paths {
 public:
  Paths(const std::string& config_file, std::vector<std::string> handler_folders);

  // The absolute path of a readable regular file, or the fault. Never waits.
  tl::expected<std::string, std::string> find(std::string_view path) const;
  // The same for the value of `library`.
  tl::expected<std::string, std::string> find_library(std::string_view library) const;
  // The absolute path of a file that need not exist, relative to the configuration file's folder.
  std::string beside_config(std::string_view path) const;

 private:
  std::filesystem::path folder_;
  std::vector<std::string> handler_folders_;
};

}  // namespace ringmaster::config
