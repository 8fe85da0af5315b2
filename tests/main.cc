// One program for all unit tests. DOCTEST_CONFIG_* are set in one place so that all files agree.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
