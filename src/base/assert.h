// RM_ASSERT: an invariant of our own code. Always on: a broken invariant ends the process at once,
// with the place and the condition on stderr, before it can give a wrong answer. Not for bad
// input: bad input gets a Status.
#pragma once

#include <cstdio>
#include <cstdlib>

#define RM_ASSERT(condition)                                                                 \
  do {                                                                                       \
    if (!(condition)) [[unlikely]] {                                                         \
      std::fprintf(stderr, "%s:%d: broken invariant: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                          \
    }                                                                                        \
  } while (false)
