// Region: a piece of a memfd, mapped into this process.
//
// Processes: the master creates the memfds; fork server and workers map inherited ones.
// Death:     leaves nothing behind: a memfd has no name, and ends with its last process.
// Memory:    a created memfd is sealed: no process can shrink, grow or unseal it, so none can make
//            the mapping of another process fault. Pages are allocated when first touched.
// Limits:    kReadOnly needs /proc.
#pragma once

#include <cstddef>
#include <string>

#include <boost/interprocess/mapped_region.hpp>

#include "base/fd.h"
#include "base/status.h"

namespace ringmaster::ipc {

// A new sealed memfd of `bytes` zero bytes; `name` is only for /proc/PID/maps. Closed on exec:
// Generation::spawn() says which descriptors the fork server inherits.
[[nodiscard]] Result<Fd> create_memory(const std::string& name, size_t bytes);

enum class Access { kReadOnly, kReadWrite };

class Region {
 public:
  // Maps `bytes` bytes from `offset` (a multiple of the page size) of an open memfd. The mapping
  // outlives the descriptor.
  [[nodiscard]] static Result<Region> map(int memory_fd, Access access, size_t offset,
                                          size_t bytes);

  std::byte* data() const { return static_cast<std::byte*>(mapping_.get_address()); }
  size_t size() const { return mapping_.get_size(); }

 private:
  explicit Region(boost::interprocess::mapped_region mapping) : mapping_(std::move(mapping)) {}

  boost::interprocess::mapped_region mapping_;
};

}  // namespace ringmaster::ipc
