#include <bsd/unistd.h>
#include <fcntl.h>
#include <string_view>
#include <unistd.h>

#include "cli/run.h"
#include "worker/forkserver.h"

namespace {

// A file that is opened later must not become stdin, stdout or stderr: workers and logs use these.
void open_missing_streams() {
  int fd = STDIN_FILENO;
  while (fd >= 0 && fd <= STDERR_FILENO)
    fd = ::open("/dev/null", O_RDWR);
  if (fd > STDERR_FILENO) ::close(fd);
}

}  // namespace

int main(int argc, char** argv) {
  open_missing_streams();
  ::setproctitle_init(argc, argv, environ);
  // The master executes this program as its fork server. Only the master uses `fork-server`, so the
  // help does not list it.
  if (argc > 1 && std::string_view(argv[1]) == "fork-server") {
    return ringmaster::worker::run_fork_server(argc, argv);
  }
  return ringmaster::cli::run(argc, argv);
}
