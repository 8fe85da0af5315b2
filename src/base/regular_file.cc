#include "base/regular_file.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>

namespace ringmaster {
namespace {

tl::unexpected<std::string> fail_to_read(int error) {
  return tl::unexpected(std::string("cannot read: ") + std::strerror(error));
}

const char* name_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

}  // namespace

tl::expected<Fd, std::string> open_regular_file(const std::string& path) {
  struct stat found {};
  // Checked before open(2), which may have an effect on a device.
  if (::stat(path.c_str(), &found) != 0) return fail_to_read(errno);
  if (S_ISREG(found.st_mode)) {
    Fd file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!file.is_open() || ::fstat(file.get(), &found) != 0) return fail_to_read(errno);
    if (S_ISREG(found.st_mode)) return file;
  }
  return tl::unexpected(std::string("expected a file, found ") + name_of(found.st_mode));
}

tl::expected<std::string, std::string> read_regular_file(const std::string& path,
                                                         size_t bytes_max) {
  const auto file = open_regular_file(path);
  if (!file) return tl::unexpected(file.error());
  std::string text;
  char piece[16 << 10];
  for (;;) {
    const ssize_t size = ::read(file->get(), piece, sizeof piece);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return fail_to_read(errno);
    if (size == 0) return text;
    text.append(piece, static_cast<size_t>(size));
    if (text.size() > bytes_max) {
      return tl::unexpected("expected at most " + std::to_string(bytes_max) + " bytes");
    }
  }
}

}  // namespace ringmaster
