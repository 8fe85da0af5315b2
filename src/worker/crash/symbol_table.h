// SymbolTable: the functions of an ELF file, also those that it does not export. The dynamic loader
// only knows exported ones, and most of a handler's code is not exported.
//
// Trust: the file may have been replaced or truncated since it was mapped. So all that is read from
//        it is checked, and in doubt no function is found. libdw would also name file and line, but
//        it maps the file: a truncated file would end the fork server by SIGBUS.
#pragma once

#include <cstdint>
#include <elf.h>
#include <optional>
#include <string>
#include <vector>

namespace ringmaster::worker {

class SymbolTable {
 public:
  // Empty for a file that was stripped, or cannot be read.
  explicit SymbolTable(const std::string& path);

  struct Function {
    std::string name;
    uintptr_t address;
  };
  // The function that contains `address`, which counts from the file's load address.
  std::optional<Function> find_function(uintptr_t address) const;

 private:
  std::vector<Elf64_Sym> symbols_;
  std::string names_;  // each ended by a NUL
};

}  // namespace ringmaster::worker
