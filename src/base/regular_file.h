// Opens and reads the files that a configuration names.
//
// Only regular files: opening a FIFO waits for a writer, perhaps for ever, and reading a device may
// never end. A reload opens these files, and a master that waits serves no client.
#pragma once

#include <cstddef>
#include <string>

#include <tl/expected.hpp>

#include "base/fd.h"

namespace ringmaster {

// Never waits. The error says what was found, without the path: "expected a file, found a FIFO",
// "cannot read: Permission denied".
tl::expected<Fd, std::string> open_regular_file(const std::string& path);

// The whole file; more than `bytes_max` is an error.
tl::expected<std::string, std::string> read_regular_file(const std::string& path, size_t bytes_max);

}  // namespace ringmaster
