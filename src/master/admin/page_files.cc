#include "master/admin/page_files.h"

#include <array>

// Puts src/master/admin/page/FILE into the program. The assembler reads the file: make runs it in
// the project's folder. The Makefile says that this object depends on the files.
#define RM_PAGE_FILE(name, file)                                 \
  asm(".pushsection .rodata\n"                                   \
      ".hidden rm_page_" #name "\n.globl rm_page_" #name         \
      "\n"                                                       \
      ".hidden rm_page_" #name "_end\n.globl rm_page_" #name     \
      "_end\n"                                                   \
      "rm_page_" #name ": .incbin \"src/master/admin/page/" file \
      "\"\n"                                                     \
      "rm_page_" #name                                           \
      "_end: .byte 0\n"                                          \
      ".popsection\n");                                          \
  extern "C" const char rm_page_##name[];                        \
  extern "C" const char rm_page_##name##_end[]

RM_PAGE_FILE(html, "index.html");
RM_PAGE_FILE(css, "page.css");
RM_PAGE_FILE(page, "page.js");
RM_PAGE_FILE(data, "data.js");
RM_PAGE_FILE(diagnosis, "diagnosis.js");
RM_PAGE_FILE(dom, "dom.js");
RM_PAGE_FILE(kept, "kept.js");
RM_PAGE_FILE(panel, "panel.js");
RM_PAGE_FILE(requests, "requests.js");
RM_PAGE_FILE(tables, "tables.js");
RM_PAGE_FILE(text, "text.js");
RM_PAGE_FILE(timeline, "timeline.js");
RM_PAGE_FILE(worker_problems, "worker_problems.js");

namespace ringmaster::master {
namespace {

PageFile file(std::string_view path, std::string_view type, const char* begin, const char* end) {
  return {path, type, {begin, static_cast<size_t>(end - begin)}};
}

constexpr std::string_view kScript = "text/javascript; charset=utf-8";

}  // namespace

std::span<const PageFile> page_files() {
  static const std::array files = {
      file("/", "text/html; charset=utf-8", rm_page_html, rm_page_html_end),
      file("/page.css", "text/css; charset=utf-8", rm_page_css, rm_page_css_end),
      file("/page.js", kScript, rm_page_page, rm_page_page_end),
      file("/data.js", kScript, rm_page_data, rm_page_data_end),
      file("/diagnosis.js", kScript, rm_page_diagnosis, rm_page_diagnosis_end),
      file("/dom.js", kScript, rm_page_dom, rm_page_dom_end),
      file("/kept.js", kScript, rm_page_kept, rm_page_kept_end),
      file("/panel.js", kScript, rm_page_panel, rm_page_panel_end),
      file("/requests.js", kScript, rm_page_requests, rm_page_requests_end),
      file("/tables.js", kScript, rm_page_tables, rm_page_tables_end),
      file("/text.js", kScript, rm_page_text, rm_page_text_end),
      file("/timeline.js", kScript, rm_page_timeline, rm_page_timeline_end),
      file("/worker_problems.js", kScript, rm_page_worker_problems, rm_page_worker_problems_end),
  };
  return files;
}

}  // namespace ringmaster::master
