#include "cli/huge_pages.h"

#include <cstdlib>
#include <filesystem>
#include <string>
#include <sys/auxv.h>
#include <system_error>
#include <unistd.h>

namespace ringmaster::cli {
namespace {

constexpr const char* kVariable = "GLIBC_TUNABLES";
constexpr const char* kTunable = "glibc.malloc.hugetlb";

}  // namespace

void use_huge_pages(char** argv) {
  const char* const given = std::getenv(kVariable);
  std::string tunables = given == nullptr ? "" : given;
  // A program with privileges of its own (setcap) has its tunables removed by glibc at each start.
  const bool is_privileged = ::getauxval(AT_SECURE) != 0;
  // Started as `ld.so ringmaster`: /proc/self/exe is ld.so.
  const bool is_loaded = ::getauxval(AT_BASE) == 0;
  if (is_privileged || is_loaded || tunables.find(kTunable) != std::string::npos) return;
  if (!tunables.empty()) tunables += ':';
  tunables += std::string(kTunable) + "=1";
  // By its path: a process that executes /proc/self/exe is named "exe".
  std::error_code error;
  const std::string program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error || ::setenv(kVariable, tunables.c_str(), 1) != 0) return;
  ::execv(program.c_str(), argv);
}

}  // namespace ringmaster::cli
