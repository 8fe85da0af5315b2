// The files of the status page, which are part of the program: see page/.
//
// The page asks only this server: its Content-Security-Policy forbids requests to other servers,
// and code and styles inside the HTML.
#pragma once

#include <span>
#include <string_view>

namespace ringmaster::master {

struct PageFile {
  std::string_view path;  // on the status port
  std::string_view type;
  std::string_view text;
};

std::span<const PageFile> page_files();

inline constexpr std::string_view kPagePolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

}  // namespace ringmaster::master
