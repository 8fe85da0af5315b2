#include "master/supervisor/crash_store.h"

#include <algorithm>
#include <dirent.h>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <memory>
#include <mutex>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

namespace ringmaster::master {
namespace {

struct Kept {
  std::string name;
  uint64_t bytes;
  bool operator<(const Kept& other) const { return name < other.name; }  // by time
};

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

Result<std::vector<std::string>> names_in(const Fd& folder, const std::string& name) {
  const int copy = ::openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, CloseFolder> entries(copy < 0 ? nullptr : ::fdopendir(copy));
  if (entries == nullptr) {
    const int error = errno;
    if (copy >= 0) ::close(copy);
    return fail_errno("read the folder " + name, error);
  }
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(entries.get())) {
    const std::string_view found = entry->d_name;
    if (found != "." && found != "..") names.emplace_back(found);
  }
  if (errno != 0) return fail_errno("read the folder " + name, errno);
  return names;
}

// 0 if it is not a regular file.
uint64_t bytes_of(const Fd& folder, const std::string& name) {
  struct stat status {};
  const bool is_file = ::fstatat(folder.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                       S_ISREG(status.st_mode);
  return is_file ? static_cast<uint64_t>(status.st_size) : 0;
}

// Removes a file, or a link and not its target. Leaves a folder, which cannot be ours.
bool remove(const Fd& folder, const std::string& name) {
  return ::unlinkat(folder.get(), name.c_str(), 0) == 0 || errno == ENOENT;
}

Status write_file(const Fd& folder, const std::string& name, std::string_view content) {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  const Fd file(::openat(folder.get(), name.c_str(), kFlags, 0600));
  if (!file.is_open()) return fail_errno("create " + name, errno);
  while (!content.empty()) {
    const ssize_t written = ::write(file.get(), content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno("write " + name, errno);
    content.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

// Opens the folder of all kept jobs, and creates it where it is missing. Refuses one that another
// user may write to: that user could replace our files.
Result<Fd> open_store(std::string path) {
  while (path.size() > 1 && path.back() == '/')  // open(2) would follow a link before a '/'
    path.pop_back();
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail_errno("make the folder " + path, errno);
  }
  Fd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!folder.is_open()) return fail_errno("open the folder " + path, errno);
  struct stat status {};
  if (::fstat(folder.get(), &status) != 0) return fail_errno("look at " + path, errno);
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return fail(
        ExitCode::kResource,
        fmt::format("{} may be written by others than its owner (mode {:04o}): chmod go-w {}", path,
                    status.st_mode & 07777, path));
  }
  if (status.st_uid != ::geteuid() && status.st_uid != 0) {
    return fail(ExitCode::kResource, fmt::format("{} belongs to user {}, expected {} (or root)",
                                                 path, status.st_uid, ::geteuid()));
  }
  return folder;
}

}  // namespace

Status CrashStore::make_room(const Fd& folder, uint64_t bytes) const {
  const auto names = names_in(folder, options_.folder);
  if (!names) return tl::unexpected(names.error());
  std::vector<Kept> kept;
  uint64_t total = bytes;
  // A file that cannot be removed stays: the new job is kept all the same.
  for (const std::string& name : *names) {
    if (name.starts_with('.' + prefix_)) remove(folder, name);
    if (!name.starts_with(prefix_)) continue;
    kept.push_back({name, bytes_of(folder, name)});
    total += kept.back().bytes;
  }
  std::sort(kept.begin(), kept.end());
  size_t count = kept.size() + 1;
  for (const Kept& oldest : kept) {
    if (count <= options_.count && total <= options_.total_bytes) break;
    if (!remove(folder, oldest.name)) continue;
    total -= oldest.bytes;
    --count;
  }
  return {};
}

Result<std::string> CrashStore::keep(const std::string& name, std::string_view text) const {
  if (text.size() > options_.total_bytes) {
    return fail(ExitCode::kResource, fmt::format("it takes {} bytes, crashes.total_bytes is {}",
                                                 text.size(), options_.total_bytes));
  }
  static std::mutex one_at_a_time;
  const std::lock_guard guard(one_at_a_time);
  const auto folder = open_store(options_.folder);
  if (!folder) return tl::unexpected(folder.error());
  if (Status made = make_room(*folder, text.size()); !made) return tl::unexpected(made.error());
  const std::string unfinished = "." + name;
  Status written = write_file(*folder, unfinished, text);
  if (written && ::renameat(folder->get(), unfinished.c_str(), folder->get(), name.c_str()) != 0) {
    written = fail_errno("rename to " + name, errno);
  }
  if (written) return (std::filesystem::path(options_.folder) / name).string();
  remove(*folder, unfinished);  // even if this fails, the first error is reported
  return tl::unexpected(written.error());
}

}  // namespace ringmaster::master
