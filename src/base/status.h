// Status and Result<T>: the return types of functions that can fail.
//
// No exception crosses a module: the one file that wraps a throwing library catches its exceptions
// and returns an Error. A message says what was expected, what was found and what to do about it.
// The exit code is part of the Error, so main() needs no table.
#pragma once

#include <cstring>
#include <string>
#include <utility>

#include <tl/expected.hpp>

namespace ringmaster {

// The process's exit codes, after sysexits.h.
enum class ExitCode : int {
  kOk = 0,
  kUsage = 64,     // the command line
  kInternal = 70,  // a bug of ours
  kResource = 71,  // the system lacks something: a port, memory, a descriptor, a permission
  kConfig = 78,    // the configuration, or a file that it names
};

struct Error {
  ExitCode exit_code;
  std::string message;
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = tl::expected<void, Error>;

inline tl::unexpected<Error> fail(ExitCode exit_code, std::string message) {
  return tl::unexpected<Error>(Error{exit_code, std::move(message)});
}

// A failed system call: `what` names the attempt ("bind 127.0.0.1:7070"), errno gives the reason.
inline tl::unexpected<Error> fail_errno(const std::string& what, int error_number) {
  return fail(ExitCode::kResource, what + ": " + std::strerror(error_number));
}

}  // namespace ringmaster
