// One program for all unit tests. DOCTEST_CONFIG_* are set in one place so that all files agree.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <string_view>

int main(int argc, char** argv) {
  // A generation under test starts this program as its fork server, which ends at once.
  if (argc > 1 && std::string_view(argv[1]) == "fork-server") return 0;
  return doctest::Context(argc, argv).run();
}
