#include "worker/crash/symbols.h"

#include <cstdlib>
#include <cxxabi.h>
#include <dlfcn.h>
#include <filesystem>
#include <fmt/format.h>
#include <link.h>
#include <memory>

namespace ringmaster::worker {
namespace {

std::string demangle(const std::string& name) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(
      abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status), std::free);
  return std::string(status == 0 ? text.get() : name).substr(0, Symbols::kNameBytesMax);
}

}  // namespace

std::string Symbols::describe(uintptr_t address) {
  Dl_info found{};
  link_map* module = nullptr;
  if (::dladdr1(reinterpret_cast<void*>(address), &found, reinterpret_cast<void**>(&module),
                RTLD_DL_LINKMAP) == 0) {
    return fmt::format("{:#x}", address);
  }
  // The program itself has an empty name.
  std::error_code error;
  const std::string path = *module->l_name != '\0'
                               ? std::string(module->l_name)
                               : std::filesystem::read_symlink("/proc/self/exe", error).string();
  const uintptr_t offset = address - module->l_addr;
  const std::string place =
      fmt::format("{}+{:#x}", std::filesystem::path(path).filename().string(), offset);
  const auto table = tables_.try_emplace(path, path).first;
  if (const auto function = table->second.find_function(offset)) {
    return fmt::format("{}+{:#x} ({})", demangle(function->name), offset - function->address,
                       place);
  }
  if (found.dli_sname == nullptr) return place;
  return fmt::format("{}+{:#x} ({})", demangle(found.dli_sname),
                     address - reinterpret_cast<uintptr_t>(found.dli_saddr), place);
}

}  // namespace ringmaster::worker
