#include "ipc/region.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <boost/interprocess/exceptions.hpp>
#include <boost/interprocess/file_mapping.hpp>

namespace ringmaster::ipc {
namespace {

namespace bi = boost::interprocess;

// A memory that Boost maps by its descriptor.
struct Memory {
  int fd;
  bi::mapping_handle_t get_mapping_handle() const { return {fd, false}; }
  bi::mode_t get_mode() const { return bi::read_write; }
};

// The name that create_memory() was given, for messages: "/memfd:ringmaster-payload (deleted)".
std::string name_of(const std::string& path) {
  char name[256];
  const ssize_t size = ::readlink(path.c_str(), name, sizeof name);
  return size < 0 ? path : std::string(name, static_cast<size_t>(size));
}

}  // namespace

Result<Fd> create_memory(const std::string& name, size_t bytes) {
  Fd memory(::memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory.is_open()) return fail_errno("memfd_create " + name, errno);
  if (::ftruncate(memory.get(), static_cast<off_t>(bytes)) != 0) {
    return fail_errno(fmt::format("give {} its {} bytes", name, bytes), errno);
  }
  if (::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return fail_errno("seal " + name, errno);
  }
  return memory;
}

Result<Region> Region::map(int memory_fd, Access access, size_t offset, size_t bytes) {
  const std::string path = fmt::format("/proc/self/fd/{}", memory_fd);
  const auto at = static_cast<bi::offset_t>(offset);
  try {
    if (access == Access::kReadWrite)
      return Region(bi::mapped_region(Memory{memory_fd}, bi::read_write, at, bytes));
    // Opened anew, or the process could make the mapping writable.
    const bi::file_mapping file(path.c_str(), bi::read_only);
    return Region(bi::mapped_region(file, bi::read_only, at, bytes));
  } catch (const bi::interprocess_exception& e) {
    return fail(ExitCode::kResource, fmt::format("map {} bytes of {} at {}: {}", bytes,
                                                 name_of(path), offset, e.what()));
  }
}

}  // namespace ringmaster::ipc
