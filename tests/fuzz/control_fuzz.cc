// The control channel: the input is read as a packet, and as the text of a packet.
//
// Whatever the input: the packet is a message or refused; a message that is sent again arrives
// unchanged; a text that can be decoded is encoded to the same bytes.
#include <fcntl.h>
#include <string>
#include <sys/socket.h>

#include "fuzz.h"
#include "ipc/control.h"

namespace ringmaster::ipc {
namespace {

using Received = ControlChannel::Received;

// The bytes of a packet before its text.
constexpr size_t kHeadBytes = 16;

struct Ends {
  Ends() : Ends(ControlChannel::create_pair().value()) {}
  explicit Ends(std::pair<Fd, Fd> pair)
      : sender(std::move(pair.first)), receiver(std::move(pair.second)) {
    RM_ASSERT(::fcntl(receiver.fd(), F_SETFL, O_NONBLOCK) == 0);
  }
  ControlChannel sender;
  ControlChannel receiver;
};

void check_packet(Ends& ends, const std::string& packet) {
  RM_ASSERT(::send(ends.sender.fd(), packet.data(), packet.size(), 0) ==
            static_cast<ssize_t>(packet.size()));
  ControlMessage message;
  const Result<Received> received = ends.receiver.receive(message);
  if (!received) {
    RM_ASSERT(!received.error().message.empty());
    return;
  }
  // An empty packet looks like the end of the stream.
  RM_ASSERT(*received == (packet.empty() ? Received::kEnd : Received::kMessage));
  if (packet.empty()) return;
  RM_ASSERT(message.type <= kControlTypeMax && message.text == packet.substr(kHeadBytes));
  ControlMessage again;
  RM_ASSERT(ends.sender.send(message) && ends.receiver.receive(again) == Received::kMessage);
  RM_ASSERT(again.type == message.type && again.worker == message.worker);
  RM_ASSERT(again.pid == message.pid && again.status == message.status);
  RM_ASSERT(again.text == message.text);
}

void check_text(const std::string& text) {
  if (const Result<Geometry> geometry = decode_geometry(text)) RM_ASSERT(encode(*geometry) == text);
  if (const Result<HandlerSpec> spec = decode_handler(text)) RM_ASSERT(encode(*spec) == text);
  if (const Result<MethodSpec> spec = decode_method(text)) RM_ASSERT(encode(*spec) == text);
}

}  // namespace
}  // namespace ringmaster::ipc

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ringmaster;
  static ipc::Ends ends;
  const std::string input(fuzz::text_of(data, size));
  ipc::check_packet(ends, input);
  ipc::ControlMessage none;
  RM_ASSERT(ends.receiver.receive(none) == ipc::Received::kNothingYet);
  ipc::check_text(input);
  if (size > ipc::kHeadBytes) ipc::check_text(input.substr(ipc::kHeadBytes));
  return 0;
}
