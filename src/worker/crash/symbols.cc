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

Symbols::Place Symbols::find(uintptr_t address) {
  Dl_info found{};
  link_map* module = nullptr;
  if (::dladdr1(reinterpret_cast<void*>(address), &found, reinterpret_cast<void**>(&module),
                RTLD_DL_LINKMAP) == 0) {
    return {};
  }
  // The program itself has an empty name.
  std::error_code error;
  const std::string path = *module->l_name != '\0'
                               ? std::string(module->l_name)
                               : std::filesystem::read_symlink("/proc/self/exe", error).string();
  Place place{std::filesystem::path(path).filename().string(), address - module->l_addr, {}};
  const auto table = tables_.try_emplace(path, path).first;
  if (const auto function = table->second.find_function(place.offset)) {
    place.function = demangle(function->name);
    place.function_offset = place.offset - function->address;
  } else if (found.dli_sname != nullptr) {
    place.function = demangle(found.dli_sname);
    place.function_offset = address - reinterpret_cast<uintptr_t>(found.dli_saddr);
  }
  return place;
}

std::string Symbols::describe(uintptr_t address) {
  const Place place = find(address);
  if (place.module.empty()) return fmt::format("{:#x}", address);
  const std::string in_module = fmt::format("{}+{:#x}", place.module, place.offset);
  if (place.function.empty()) return in_module;
  return fmt::format("{}+{:#x} ({})", place.function, place.function_offset, in_module);
}

std::string Symbols::name(uintptr_t address) {
  const Place place = find(address);
  if (place.function.empty()) return describe(address);
  return fmt::format("{} ({})", place.function, place.module);
}

}  // namespace ringmaster::worker
