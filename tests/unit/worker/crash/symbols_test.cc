#include "worker/crash/symbols.h"

#include <cstring>
#include <dlfcn.h>
#include <doctest/doctest.h>

#include "support.h"

namespace ringmaster::worker {
namespace {

__attribute__((noinline)) int not_exported(int number) {
  return number + 1;
}

}  // namespace

TEST_CASE("symbols: a function has its name, exported or not, and its place in its file") {
  REQUIRE(not_exported(1) == 2);
  Symbols symbols;
  const std::string own = symbols.describe(reinterpret_cast<uintptr_t>(&not_exported) + 1);
  CAPTURE(own);
  CHECK(own.starts_with(
      "ringmaster::worker::(anonymous namespace)::not_exported(int)+0x1 (unit_tests+0x"));
  const auto version_at =
      reinterpret_cast<uintptr_t>(::dlsym(RTLD_DEFAULT, "gnu_get_libc_version"));
  const std::string libc = symbols.describe(version_at + 2);
  CAPTURE(libc);
  CHECK(libc.find("gnu_get_libc_version") != std::string::npos);
  CHECK(libc.find("+0x2 (libc.so.6+0x") != std::string::npos);
}

TEST_CASE("symbols: name() leaves out the offset, and is a number for an address in no module") {
  Symbols symbols;
  CHECK(symbols.name(reinterpret_cast<uintptr_t>(&not_exported) + 1) ==
        "ringmaster::worker::(anonymous namespace)::not_exported(int) (unit_tests)");
  CHECK(symbols.name(8) == "0x8");
}

TEST_CASE("symbols: an address in no module is described by its number only") {
  Symbols symbols;
  CHECK(symbols.describe(0) == "0x0");
  CHECK(symbols.describe(8) == "0x8");
  int on_the_stack = 0;
  CHECK(symbols.describe(reinterpret_cast<uintptr_t>(&on_the_stack)).find('(') ==
        std::string::npos);
}

TEST_CASE("symbols: a file that is damaged, cut off or missing has no functions") {
  const test::TemporaryFolder folder;
  CHECK(!SymbolTable(folder.at("missing")).find_function(1));
  folder.write("text", "#!/bin/sh\n");
  CHECK(!SymbolTable(folder.at("text")).find_function(1));
  folder.write("short", "\177ELF\2\1\1");
  CHECK(!SymbolTable(folder.at("short")).find_function(1));

  std::ifstream self("/proc/self/exe", std::ios::binary);
  std::string head(64 << 10, '\0');
  self.read(head.data(), static_cast<std::streamsize>(head.size()));
  folder.write("cut", head);
  CHECK(!SymbolTable(folder.at("cut")).find_function(1));
  Elf64_Ehdr damaged;
  std::memcpy(&damaged, head.data(), sizeof damaged);
  damaged.e_shoff = 64;  // no section headers stand there
  std::memcpy(head.data(), &damaged, sizeof damaged);
  folder.write("damaged", head);
  CHECK(!SymbolTable(folder.at("damaged")).find_function(1));
}

}  // namespace ringmaster::worker
