// The server's side of TLS: the input is what a client of OpenSSL's does, and how its bytes arrive;
// or it is all that arrives.
//
// A client whose bytes all arrive: what is written comes out, in order, at both ends. Nothing fails
// but for the limits of tls_stream.h or a missing certificate, and then with all that was written
// before.
// One whose bytes are damaged: nothing comes out but the beginning of what was written. The stream
// ends up failed or waiting, unless the damage is none to TLS.
// Bytes of nobody: nothing comes out of them, and what becomes of them does not depend on how they
// are cut.
// Always: states go forward; what failed stays so, and says why; what is owed is bounded.
#define OPENSSL_SUPPRESS_DEPRECATED  // of replacing its random bytes: the new way takes a provider
#include "tls_play.h"

namespace ringmaster {
namespace {

using fuzz::TlsWishes;
using fuzz::TlsWorld;
using net::TlsStream;
using State = TlsStream::State;

// OpenSSL has no coverage to be guided by: an outcome that is new stands in for it.
__attribute__((section("__libfuzzer_extra_counters"))) uint8_t outcomes[1024];

void note_outcome(const TlsStream& server, int client_state) {
  const size_t failure = std::hash<std::string>{}(server.failure());
  const size_t states =
      static_cast<size_t>(server.state()) * 64 + static_cast<size_t>(client_state);
  outcomes[(failure + states) % sizeof outcomes] = 1;
}

TlsWishes some_wishes(FuzzedDataProvider& script) {
  TlsWishes wishes;
  wishes.is_old = script.ConsumeBool();
  wishes.needs_chain = script.ConsumeBool();
  wishes.chain = script.PickValueInArray({TlsWishes::kOne, TlsWishes::kNone, TlsWishes::kTooLong});
  wishes.hello_bytes = script.PickValueInArray<size_t>({0, 0, 300, 15'000, 17'000});
  wishes.fragment_bytes =
      script.PickValueInArray<size_t>({wishes.fragment_bytes, wishes.fragment_bytes, 512, 4000});
  return wishes;
}

fuzz::TlsPlay::Session play(const TlsWorld& world, const TlsWishes& wishes,
                            FuzzedDataProvider& script, const fuzz::TlsPlay::Session& session) {
  fuzz::TlsPlay play(world, wishes, script, session);
  play.run();
  note_outcome(play.server(), play.client_state());
  return play.session();
}

struct Outcome {
  State state;
  std::string failure;
  std::string due;
  bool is_waiting;

  bool operator==(const Outcome&) const = default;
};

// What comes of bytes that nobody has a key for.
Outcome outcome_of(const net::TlsContext& context, std::string_view bytes,
                   const fuzz::NextSize& next_size) {
  fuzz::Chance::restart();
  fuzz::CheckedServer checked(context);
  TlsStream& server = checked.stream();
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, next_size());
    bytes.remove_prefix(piece.size());
    checked.receive(piece, 0, 0);
    RM_ASSERT(server.state() != State::kOpen && !server.may_seal());
  }
  note_outcome(server, 0);
  return {server.state(), server.failure(), server.due(), server.is_waiting()};
}

void check_bytes(const net::TlsContext& context, std::string_view bytes) {
  const Outcome whole = outcome_of(context, bytes, fuzz::whole(bytes));
  const Outcome cut = outcome_of(context, bytes, fuzz::sizes_for(bytes));
  // What follows a hello in one piece with it is looked at before it is known to be of TLS 1.2.
  const bool is_too_long = whole.failure.ends_with("is too long");
  RM_ASSERT(whole == cut || is_too_long);
}

// TlsRecords, written a second time: of all bytes at once.
bool has_long_message(std::string_view bytes) {
  const auto number = [](std::string_view from, size_t at, size_t size) {
    size_t value = 0;
    for (const char byte : from.substr(at, size))
      value = value << 8 | static_cast<uint8_t>(byte);
    return value;
  };
  std::string messages;
  for (; bytes.size() >= 5; bytes.remove_prefix(std::min(bytes.size(), 5 + number(bytes, 3, 2)))) {
    if (bytes[0] == SSL3_RT_HANDSHAKE) messages += bytes.substr(5, number(bytes, 3, 2));
  }
  for (std::string_view rest = messages; rest.size() >= 4;) {
    const size_t size = number(rest, 1, 3);
    if (size > net::TlsRecords::kMessageBytesMax) return true;
    rest.remove_prefix(std::min(rest.size(), 4 + size));
  }
  return false;
}

void check_records(std::string_view bytes, const fuzz::NextSize& next_size) {
  net::TlsRecords cut, plain, cipher;
  bool is_good = true;
  for (std::string_view rest = bytes; is_good && !rest.empty();) {
    const std::string_view piece = rest.substr(0, next_size());
    is_good = cut.note(piece, true);
    rest.remove_prefix(piece.size());
  }
  RM_ASSERT(is_good == !has_long_message(bytes));
  RM_ASSERT(plain.note(bytes, true) == is_good && cipher.note(bytes, false));
  if (is_good) RM_ASSERT(plain.is_in_record() == cut.is_in_record());
  if (is_good) RM_ASSERT(plain.is_in_record() == cipher.is_in_record());
}

}  // namespace
}  // namespace ringmaster

// OpenSSL's clock: the time is in its tickets, and an input must do the same tomorrow.
extern "C" time_t time(time_t* out) {
  constexpr time_t kNow = 1'800'000'000;
  if (out != nullptr) *out = kNow;
  return kNow;
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ringmaster;
  static const fuzz::TlsWorld world;
  fuzz::Chance::restart();
  FuzzedDataProvider script(data, size);
  const int kind = script.ConsumeIntegralInRange(0, 3);
  if (kind < 3) {
    TlsWishes wishes = some_wishes(script);
    wishes.is_damaged = kind == 2;
    const auto session = play(world, wishes, script, nullptr);
    // Who comes a second time resumes what he had.
    if (script.remaining_bytes() > 0) play(world, wishes, script, session);
    return 0;
  }
  TlsWishes wishes;
  wishes.needs_chain = script.ConsumeBool();
  const std::string bytes = script.ConsumeRemainingBytesAsString();
  check_records(bytes, fuzz::sizes_for(bytes));
  check_bytes(world.server(wishes), bytes);
  return 0;
}
