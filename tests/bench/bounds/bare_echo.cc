// bare_echo: the bound of an echo over TCP: see bare.h. Prints where it listens, and serves until
// it is killed.
#include "bare.h"

namespace {

using ringmaster::bench::Client, ringmaster::bench::Line;

struct EchoClient : Client {
  using Client::Client;
  void on_line(std::string_view text) override {
    const Line line(text);
    ringmaster::bench::append_answer(output, line.head, line.rest);
    output += '\n';
  }
};

}  // namespace

int main() {
  ringmaster::bench::Loop loop;
  const ringmaster::bench::Listener<EchoClient> listener(loop);
  while (true)
    loop.turn(-1);
}
