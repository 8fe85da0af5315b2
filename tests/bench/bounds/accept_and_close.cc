// accept_and_close: the bound of a port under attack: it accepts each connection and closes it at
// once. Prints where it listens, and serves until it is killed.
#include "bare.h"

namespace {

struct Refusal {
  Refusal(ringmaster::bench::Loop&, int fd) { ::close(fd); }
};

}  // namespace

int main() {
  ringmaster::bench::Loop loop;
  const ringmaster::bench::Listener<Refusal> listener(loop);
  while (true)
    loop.turn(-1);
}
