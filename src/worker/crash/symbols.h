// Symbols: names the function at an address of this process, for people.
//
// Processes: the fork server, for the addresses of workers that it has forked.
// Memory:    the symbol table of each module in which an address lay, until destruction.
// Limits:    a name is cut after kNameBytesMax: some templates have very long names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "worker/crash/symbol_table.h"

namespace ringmaster::worker {

class Symbols {
 public:
  static constexpr size_t kNameBytesMax = 200;

  // "parse(char const*)+0x1f (model.so+0x1c2f)": the place in the demangled function, and the place
  // in the module's file, as `addr2line -e MODULE 0x1c2f` takes it. Only the latter if the function
  // has no name; only the address if it is outside of all modules.
  std::string describe(uintptr_t address);
  // "parse(char const*) (model.so)": the function only. Without a name, as describe().
  std::string name(uintptr_t address);

 private:
  struct Place {
    std::string module;    // its file's name; empty: the address is outside of all modules
    uintptr_t offset = 0;  // in the module
    std::string function;  // empty: it has no name
    uintptr_t function_offset = 0;
  };
  Place find(uintptr_t address);

  std::map<std::string, SymbolTable> tables_;  // by path
};

}  // namespace ringmaster::worker
