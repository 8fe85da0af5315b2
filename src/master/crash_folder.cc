#include "master/crash_folder.h"

#include <algorithm>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <mutex>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

namespace ringmaster::master {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "crash-";
constexpr std::string_view kUnfinished = ".crash-";

struct Kept {
  fs::path path;
  uint64_t bytes;
  bool operator<(const Kept& other) const { return path < other.path; }  // by time
};

tl::unexpected<Error> fail_on(const fs::path& path, const std::error_code& error) {
  return fail(ExitCode::kResource, fmt::format("{}: {}", path.string(), error.message()));
}

uint64_t bytes_in(const fs::path& folder) {
  uint64_t bytes = 0;
  std::error_code error;  // what cannot be looked at counts for nothing
  for (fs::directory_iterator file(folder, error), end; file != end; file.increment(error)) {
    const uint64_t size = fs::file_size(file->path(), error);
    if (!error) bytes += size;
  }
  return bytes;
}

Status make_folder(const fs::path& path) {
  if (::mkdir(path.c_str(), 0700) == 0) return {};
  return fail_errno("make the folder " + path.string(), errno);
}

Status write_file(const fs::path& path, std::string_view content) {
  const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file.is_open()) return fail_errno("create " + path.string(), errno);
  while (!content.empty()) {
    const ssize_t written = ::write(file.get(), content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno("write " + path.string(), errno);
    content.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

Status write_all(const fs::path& folder, const Crash& crash) {
  if (Status made = make_folder(folder); !made) return made;
  for (const auto& [name, content] : crash.files) {
    if (Status written = write_file(folder / name, content); !written) return written;
  }
  return {};
}

}  // namespace

uint64_t Crash::bytes() const {
  uint64_t sum = 0;
  for (const auto& file : files)
    sum += file.second.size();
  return sum;
}

Status CrashFolder::make_room(uint64_t bytes) const {
  std::vector<Kept> kept;
  uint64_t total = bytes;
  std::error_code error;
  fs::directory_iterator entry(options_.folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename();
    if (name.starts_with(kUnfinished)) fs::remove_all(entry->path(), error);
    if (!name.starts_with(kPrefix)) continue;
    kept.push_back({entry->path(), bytes_in(entry->path())});
    total += kept.back().bytes;
  }
  if (error) return fail_on(options_.folder, error);
  std::sort(kept.begin(), kept.end());
  size_t count = kept.size() + 1;
  for (const Kept& oldest : kept) {
    if (count <= options_.count && total <= options_.total_bytes) break;
    fs::remove_all(oldest.path, error);
    if (error) return fail_on(oldest.path, error);
    total -= oldest.bytes;
    --count;
  }
  return {};
}

Result<std::string> CrashFolder::keep(const Crash& crash) const {
  const uint64_t bytes = crash.bytes();
  if (bytes > options_.total_bytes) {
    return fail(ExitCode::kResource, fmt::format("it takes {} bytes, crashes.total_bytes is {}",
                                                 bytes, options_.total_bytes));
  }
  static std::mutex one_at_a_time;
  const std::lock_guard guard(one_at_a_time);
  const fs::path folder = options_.folder;
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    if (Status made = make_folder(folder); !made) return tl::unexpected(made.error());
  }
  if (Status made = make_room(bytes); !made) return tl::unexpected(made.error());
  const fs::path unfinished = folder / ("." + crash.name);
  const fs::path path = folder / crash.name;
  Status written = write_all(unfinished, crash);
  if (written && ::rename(unfinished.c_str(), path.c_str()) != 0) {
    written = fail_errno("rename to " + path.string(), errno);
  }
  if (written) return path.string();
  fs::remove_all(unfinished, error);
  return tl::unexpected(written.error());
}

}  // namespace ringmaster::master
