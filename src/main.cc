#include <bsd/unistd.h>
#include <string_view>
#include <unistd.h>

#include "cli/run.h"
#include "worker/forkserver.h"

int main(int argc, char** argv) {
  ::setproctitle_init(argc, argv, environ);
  // The master executes this program as its fork server. Only the master uses `fork-server`, so the
  // help does not list it.
  if (argc > 1 && std::string_view(argv[1]) == "fork-server") {
    return ringmaster::worker::run_fork_server(argc, argv);
  }
  return ringmaster::cli::run(argc, argv);
}
