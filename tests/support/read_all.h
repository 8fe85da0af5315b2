// read_all(): reads a descriptor to its end.
#pragma once

#include <string>
#include <unistd.h>

#include "base/fd.h"

namespace ringmaster::test {

// Up to the end of the file, or as much as a non-blocking descriptor has.
inline std::string read_all(const Fd& fd) {
  std::string text;
  char piece[4096];
  for (ssize_t size; (size = ::read(fd.get(), piece, sizeof piece)) > 0;)
    text.append(piece, static_cast<size_t>(size));
  return text;
}

}  // namespace ringmaster::test
