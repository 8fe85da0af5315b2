#include "worker/crash/symbol_table.h"

#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"

namespace ringmaster::worker {
namespace {

// No undamaged table is larger.
constexpr uint64_t kTableBytesMax = 256ull << 20;

bool read_at(int fd, uint64_t offset, void* into, size_t size) {
  return ::pread(fd, into, size, static_cast<off_t>(offset)) == static_cast<ssize_t>(size);
}

}  // namespace

SymbolTable::SymbolTable(const std::string& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  Elf64_Ehdr head;
  if (!read_at(file.get(), 0, &head, sizeof head) ||
      std::memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_ident[EI_CLASS] != ELFCLASS64) {
    return;
  }
  std::vector<Elf64_Shdr> sections(head.e_shnum);
  if (!read_at(file.get(), head.e_shoff, sections.data(), sections.size() * sizeof sections[0])) {
    return;
  }
  for (const Elf64_Shdr& section : sections) {
    if (section.sh_type != SHT_SYMTAB || section.sh_link >= sections.size()) continue;
    const Elf64_Shdr& names = sections[section.sh_link];
    if (section.sh_size > kTableBytesMax || names.sh_size > kTableBytesMax) return;
    symbols_.resize(section.sh_size / sizeof symbols_[0]);
    names_.resize(names.sh_size);
    if (!read_at(file.get(), section.sh_offset, symbols_.data(),
                 symbols_.size() * sizeof symbols_[0]) ||
        !read_at(file.get(), names.sh_offset, names_.data(), names_.size())) {
      symbols_.clear();
    }
    return;
  }
}

std::optional<SymbolTable::Function> SymbolTable::find_function(uintptr_t address) const {
  for (const Elf64_Sym& symbol : symbols_) {
    if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || address < symbol.st_value ||
        address - symbol.st_value >= symbol.st_size || symbol.st_name >= names_.size()) {
      continue;
    }
    return Function{names_.c_str() + symbol.st_name, symbol.st_value};
  }
  return std::nullopt;
}

}  // namespace ringmaster::worker
