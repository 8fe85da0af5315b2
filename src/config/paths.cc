#include "config/paths.h"

#include <fmt/format.h>
#include <set>

#include "base/nearest.h"
#include "base/regular_file.h"

namespace ringmaster::config {
namespace {

namespace fs = std::filesystem;

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

// The names in a folder; none when it cannot be read.
std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    names.insert(entry->path().filename().string());
  }
  return names;
}

}  // namespace

fs::path absolute_path(const fs::path& path) {
  std::error_code error;
  const fs::path result = fs::absolute(path, error);
  return (error ? path : result).lexically_normal();
}

std::vector<std::string> default_handler_folders() {
  std::error_code error;
  const fs::path executable = fs::read_symlink("/proc/self/exe", error);
  if (error) return {};
  const fs::path folder = executable.parent_path();
  return {folder / "handlers", (folder.parent_path() / "lib/ringmaster/handlers")};
}

std::string did_you_mean_file(const fs::path& path) {
  const fs::path folder = path.parent_path();
  if (!folder.empty() && !is_there(folder)) {
    return "; its folder " + folder.string() + " does not exist";
  }
  const std::set<std::string> names = names_in(folder.empty() ? "." : folder);
  const std::vector<std::string_view> known(names.begin(), names.end());
  const std::string_view meant = nearest(path.filename().string(), known);
  return meant.empty() ? "" : "; did you mean " + (folder / meant).string() + "?";
}

Paths::Paths(const std::string& config_file, std::vector<std::string> handler_folders)
    : folder_(absolute_path(config_file).parent_path()),
      handler_folders_(std::move(handler_folders)) {}

tl::expected<std::string, std::string> Paths::find(std::string_view path) const {
  const fs::path beside = beside_config(path);
  const fs::path here = absolute_path(fs::path(path));
  for (const fs::path& candidate : {beside, here}) {
    if (!is_there(candidate)) continue;
    const auto file = open_regular_file(candidate.string());
    if (file) return candidate.string();
    return tl::unexpected(candidate.string() + ": " + file.error());
  }
  std::string message = "no such file: " + beside.string();
  if (here != beside) message += ", nor " + here.string();
  // Suggests a file in the folder that exists.
  return tl::unexpected(message +
                        did_you_mean_file(is_there(beside.parent_path()) ? beside : here));
}

tl::expected<std::string, std::string> Paths::find_library(std::string_view library) const {
  const bool is_path = library.find('/') != std::string_view::npos || library.ends_with(".so");
  if (is_path) return find(library);
  std::set<std::string> known;
  for (const std::string& folder : handler_folders_) {
    const fs::path candidate = fs::path(folder) / (std::string(library) + ".so");
    std::error_code error;
    if (fs::is_regular_file(candidate, error)) return absolute_path(candidate).string();
    for (const std::string& name : names_in(folder)) {
      if (name.ends_with(".so")) known.insert(name.substr(0, name.size() - 3));
    }
  }
  const std::vector<std::string_view> words(known.begin(), known.end());
  return tl::unexpected(fmt::format(
      "no handler {}.so in {}{}", library, fmt::join(handler_folders_, " or "),
      words.empty() ? "; there is no handler at all" : did_you_mean_or_known(library, words)));
}

std::string Paths::beside_config(std::string_view path) const {
  return (folder_ / path).lexically_normal().string();
}

}  // namespace ringmaster::config
