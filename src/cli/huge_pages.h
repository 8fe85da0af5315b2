// use_huge_pages(): has this program's malloc() ask the kernel for huge pages.
//
// Why:      a fork copies an entry for each page that the process has, and a new page costs a page
//           fault. With a model of 200 MB, a killed worker is replaced in 10 ms instead of 27.
// Kernel:   it counts where transparent huge pages are set to "madvise". With "always" all memory
//           has them, with "never" none.
// Operator: glibc.malloc.hugetlb=0 in GLIBC_TUNABLES turns them off.
// Source:   glibc's manual, "Memory Allocation Tunables"; madvise(2), MADV_HUGEPAGE.
#pragma once

namespace ringmaster::cli {

// glibc reads its tunables only when a program starts. So this executes the program again, in the
// same process, unless GLIBC_TUNABLES says already what to do. It returns if that fails:
// then only the fork servers have huge pages. Without any, if the program has file capabilities, or
// was started by ld.so.
void use_huge_pages(char** argv);

}  // namespace ringmaster::cli
