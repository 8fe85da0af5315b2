// SymbolTable: the functions of an ELF file, those that it does not export included. The dynamic
// loader only knows the exported ones, and most of a handler's code is not.
//
// Trust: the file may be another one by now than the one that is mapped, or half of one: whatever
//        is read from it is checked, and in doubt there is no function.
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
  // The function that `address`, counted from where the file was loaded, lies in.
  std::optional<Function> find_function(uintptr_t address) const;

 private:
  std::vector<Elf64_Sym> symbols_;
  std::string names_;  // each ended by a NUL
};

}  // namespace ringmaster::worker
