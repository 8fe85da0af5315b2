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

#include "base/fd.h"

namespace ringmaster::master {
namespace {

constexpr std::string_view kPrefix = "crash-";
constexpr std::string_view kUnfinished = ".crash-";

struct Kept {
  std::string name;
  uint64_t bytes;
  bool operator<(const Kept& other) const { return name < other.name; }  // by time
};

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

// A folder below another one, never a link to one.
Result<Fd> open_folder(const Fd& parent, const std::string& name) {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  Fd folder(::openat(parent.is_open() ? parent.get() : AT_FDCWD, name.c_str(), kFlags));
  if (!folder.is_open()) return fail_errno("open the folder " + name, errno);
  return folder;
}

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

// Files that cannot be read count as 0.
uint64_t bytes_in(const Fd& parent, const std::string& name) {
  const auto folder = open_folder(parent, name);
  if (!folder) return 0;
  uint64_t bytes = 0;
  for (const std::string& file : names_in(*folder, name).value_or(std::vector<std::string>())) {
    struct stat status {};
    if (::fstatat(folder->get(), file.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    bytes += static_cast<uint64_t>(status.st_size);
  }
  return bytes;
}

Status remove_file(const Fd& parent, const std::string& name) {
  if (::unlinkat(parent.get(), name.c_str(), 0) == 0 || errno == ENOENT) return {};
  return fail_errno("remove " + name, errno);
}

// Removes a file, a link (not its target), or the folder of a crash, which has files only. A folder
// in it is not ours: to remove all that others may have put there could take any time and memory.
Status remove_crash(const Fd& parent, const std::string& name) {
  if (remove_file(parent, name)) return {};
  const auto folder = open_folder(parent, name);
  if (!folder) return tl::unexpected(folder.error());
  const auto names = names_in(*folder, name);
  if (!names) return tl::unexpected(names.error());
  for (const std::string& file : *names) {
    if (Status removed = remove_file(*folder, file); !removed) return removed;
  }
  if (::unlinkat(parent.get(), name.c_str(), AT_REMOVEDIR) == 0) return {};
  return fail_errno("remove the folder " + name, errno);
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

Status write_all(const Fd& parent, const std::string& name, const Crash& crash) {
  if (::mkdirat(parent.get(), name.c_str(), 0700) != 0) {
    return fail_errno("make the folder " + name, errno);
  }
  const auto folder = open_folder(parent, name);
  if (!folder) return tl::unexpected(folder.error());
  for (const auto& [file, content] : crash.files) {
    if (Status written = write_file(*folder, file, content); !written) return written;
  }
  return {};
}

// Opens the folder of all crashes, and creates it where it is missing. Refuses one that another
// user may write to: that user could replace our files.
Result<Fd> open_crashes(std::string path) {
  while (path.size() > 1 && path.back() == '/')  // before a '/' a link would be followed
    path.pop_back();
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail_errno("make the folder " + path, errno);
  }
  auto folder = open_folder(Fd(), path);
  if (!folder) return folder;
  struct stat status {};
  if (::fstat(folder->get(), &status) != 0) return fail_errno("look at " + path, errno);
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

Status make_room(const Fd& folder, const Crashes& options, uint64_t bytes) {
  const auto names = names_in(folder, options.folder);
  if (!names) return tl::unexpected(names.error());
  std::vector<Kept> kept;
  uint64_t total = bytes;
  for (const std::string& name : *names) {
    if (name.starts_with(kUnfinished)) {
      // A folder in which another process has made folders cannot be removed, and costs no crash.
      static_cast<void>(remove_crash(folder, name));
    }
    if (!name.starts_with(kPrefix)) continue;
    kept.push_back({name, bytes_in(folder, name)});
    total += kept.back().bytes;
  }
  std::sort(kept.begin(), kept.end());
  size_t count = kept.size() + 1;
  for (const Kept& oldest : kept) {
    if (count <= options.count && total <= options.total_bytes) break;
    if (!remove_crash(folder, oldest.name)) continue;  // likewise
    total -= oldest.bytes;
    --count;
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

Result<std::string> CrashStore::keep(const Crash& crash) const {
  const uint64_t bytes = crash.bytes();
  if (bytes > options_.total_bytes) {
    return fail(ExitCode::kResource, fmt::format("it takes {} bytes, crashes.total_bytes is {}",
                                                 bytes, options_.total_bytes));
  }
  static std::mutex one_at_a_time;
  const std::lock_guard guard(one_at_a_time);
  const auto folder = open_crashes(options_.folder);
  if (!folder) return tl::unexpected(folder.error());
  if (Status made = make_room(*folder, options_, bytes); !made) return tl::unexpected(made.error());
  const std::string unfinished = "." + crash.name;
  Status written = write_all(*folder, unfinished, crash);
  if (written && ::renameat(folder->get(), unfinished.c_str(), folder->get(), crash.name.c_str())) {
    written = fail_errno("rename to " + crash.name, errno);
  }
  if (written) return (std::filesystem::path(options_.folder) / crash.name).string();
  static_cast<void>(remove_crash(*folder, unfinished));  // the write's error is reported instead
  return tl::unexpected(written.error());
}

}  // namespace ringmaster::master
