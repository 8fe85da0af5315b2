// The server's side of TLS. The input is a script for an OpenSSL client and for the way in which
// its bytes arrive, or the input is itself the bytes that the server receives.
//
// If all bytes of a client arrive, the text comes out at both ends, whole and in order. The server
// fails only if a limit of tls_stream.h is exceeded or a certificate is missing, and only after all
// text that was written before.
// If a client's bytes are damaged, the server ends up failed or waiting, unless TLS ignores the
// damage.
// If the bytes come from no client, no text comes out, and the pieces do not change the outcome.
// The rules of tls_checked.h hold always.
#define OPENSSL_SUPPRESS_DEPRECATED  // RAND_METHOD is deprecated: its successor takes a provider
#include <openssl/rand.h>
#include <tuple>

#include "net/tls_context.h"
#include "tls_connection.h"

namespace ringmaster {
namespace {

// OpenSSL reports no coverage that could guide libFuzzer: new outcomes guide it instead.
__attribute__((section("__libfuzzer_extra_counters"))) uint8_t outcomes[1024];

void note_outcome(net::TlsStream& server, int client_state) {
  const size_t failure = std::hash<std::string>{}(server.failure());
  const size_t states =
      static_cast<size_t>(server.state()) * 64 + static_cast<size_t>(client_state);
  outcomes[(failure + states) % sizeof outcomes] = 1;
}

// OpenSSL's random bytes: the same ones for each input.
uint64_t random_state;
constexpr uint64_t kSeed = 0x9e3779b97f4a7c15;
int fill(unsigned char* to, int size) {
  for (int i = 0; i < size; ++i) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    to[i] = static_cast<unsigned char>(random_state >> 32);
  }
  return 1;
}

struct World {
  World() {
    static const RAND_METHOD method{nullptr, fill, nullptr, nullptr, fill, [] { return 1; }};
    RM_ASSERT(::RAND_set_rand_method(&method) == 1);
    random_state = kSeed;
    const test::TemporaryFolder folder;
    const test::Certificate own(folder, "own"), known(folder, "known");
    for (const bool asks : {false, true}) {
      const net::TlsFiles files{own.file, own.key_file, asks ? known.file : ""};
      servers[asks] = net::TlsContext::create(files).value();
    }
    for (const bool is_old : {false, true}) {
      for (test::TlsClient::Context& client : clients[is_old])
        client = test::TlsClient::make_context(is_old ? TLS1_2_VERSION : TLS1_3_VERSION);
      test::TlsClient::use(clients[is_old][true], known);
    }
  }

  std::shared_ptr<const net::TlsContext> servers[2];  // [whether it needs a certificate]
  test::TlsClient::Context clients[2][2];  // [whether of TLS 1.2][whether with a certificate]
};

// A client of some kind connects, and then perhaps again, with the first connection's session.
void play(const World& world, FuzzedDataProvider& script, bool is_damaged) {
  const bool is_old = script.ConsumeBool(), asks = script.ConsumeBool(), has = script.ConsumeBool();
  const auto hello_bytes = script.PickValueInArray<size_t>({0, 0, 300, 15'000, 17'000});
  const auto fragment_bytes = script.PickValueInArray({SSL3_RT_MAX_PLAIN_LENGTH, 512, 4000});
  std::string protocols;  // the longest name of a protocol, repeated up to hello_bytes
  while (protocols.size() < hello_bytes)
    protocols += "\xff" + std::string(255, 'x');
  std::unique_ptr<SSL_SESSION, test::Call<SSL_SESSION_free>> session;
  do {
    fuzz::TlsConnection connection(*world.servers[asks], world.clients[is_old][has], script);
    SSL* const ssl = connection.ssl();
    if (session != nullptr) RM_ASSERT(::SSL_set_session(ssl, session.get()) == 1);
    ::SSL_set_alpn_protos(ssl, reinterpret_cast<const uint8_t*>(protocols.data()),
                          static_cast<unsigned>(protocols.size()));
    ::SSL_set_max_send_fragment(ssl, fragment_bytes);
    const bool is_too_long = hello_bytes >= net::TlsRecords::kMessageBytesMax;
    if (is_too_long || (asks && !has)) connection.expect_failure();
    connection.run(is_damaged);
    note_outcome(connection.server(), ::SSL_get_state(ssl));
    const bool is_second = session != nullptr;
    session.reset(is_second ? nullptr : ::SSL_get1_session(ssl));
  } while (session != nullptr && script.remaining_bytes() > 0);
}

// The outcome of bytes that come from no client.
auto outcome_of(const net::TlsContext& context, std::string_view bytes,
                const fuzz::NextSize& next_size) {
  random_state = kSeed;
  fuzz::CheckedServer checked(context);
  net::TlsStream& server = checked.stream;
  net::TlsRecords records;
  bool is_short = true;
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, next_size());
    bytes.remove_prefix(piece.size());
    is_short = is_short && records.note(piece, true);
    checked.receive(piece, 0, 0);
    RM_ASSERT(server.state() != net::TlsStream::State::kOpen && !server.may_seal());
  }
  note_outcome(server, 0);
  return std::tuple(is_short, is_short && records.is_in_record(), server.state(), server.failure(),
                    server.due(), server.is_waiting());
}

void check_bytes(const net::TlsContext& context, std::string_view bytes) {
  const auto whole = outcome_of(context, bytes, fuzz::whole(bytes));
  const auto cut = outcome_of(context, bytes, fuzz::sizes_for(bytes));
  // Bytes behind a hello, in the same piece, are checked before the server knows that the hello is
  // of TLS 1.2.
  const bool is_short = std::get<0>(whole);
  RM_ASSERT(is_short ? whole == cut : !std::get<0>(cut));
}

}  // namespace
}  // namespace ringmaster

// Fixes OpenSSL's clock: tickets hold the time, and an input must do the same tomorrow.
extern "C" time_t time(time_t* out) {
  constexpr time_t kNow = 1'800'000'000;
  if (out != nullptr) *out = kNow;
  return kNow;
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ringmaster;
  static const World world;
  random_state = kSeed;
  FuzzedDataProvider script(data, size);
  const int kind = script.ConsumeIntegralInRange(0, 3);
  if (kind < 3) {
    play(world, script, kind == 2);
  } else {
    const bool asks = script.ConsumeBool();
    check_bytes(*world.servers[asks], script.ConsumeRemainingBytesAsString());
  }
  return 0;
}
