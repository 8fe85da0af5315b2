// TlsWorld: what the fuzzer of TLS makes once: certificates, contexts for servers and clients, and
// chance that is none, so that an input does the same each time.
#pragma once

#include <openssl/rand.h>

#include "net/tls_context.h"
#include "tls_support.h"

namespace ringmaster::fuzz {

// What OpenSSL takes for random bytes.
class Chance {
 public:
  static void restart() { state_ = 0x9e3779b97f4a7c15; }
  // REQUIRES: OpenSSL has not been asked for any yet.
  static void install() {
    static const RAND_METHOD method{nullptr, fill, nullptr, nullptr, fill, [] { return 1; }};
    RM_ASSERT(::RAND_set_rand_method(&method) == 1);
  }

 private:
  static int fill(unsigned char* to, int size) {
    for (int i = 0; i < size; ++i) {
      state_ ^= state_ << 13;
      state_ ^= state_ >> 7;
      state_ ^= state_ << 17;
      to[i] = static_cast<unsigned char>(state_ >> 32);
    }
    return 1;
  }
  static inline uint64_t state_ = 1;
};

// What a connection is about.
struct TlsWishes {
  enum Chain : uint8_t { kNone, kOne, kTooLong };

  bool is_old = false;  // TLS 1.2
  bool is_damaged = false;
  bool needs_chain = false;                          // the server asks for a certificate
  Chain chain = kNone;                               // that the client has
  size_t hello_bytes = 0;                            // that its hello has beside what it needs
  size_t fragment_bytes = SSL3_RT_MAX_PLAIN_LENGTH;  // of its records, at most
};

class TlsWorld {
 public:
  TlsWorld() {
    Chance::install();
    Chance::restart();
    const test::TemporaryFolder folder;
    const test::Certificate own(folder, "own"), one(folder, "one");
    test::Certificate many = one;
    std::string chain;
    for (int i = 0; i < 60; ++i)
      chain += one.text();
    many.file = folder.write("many.pem", chain);
    for (const bool needs_chain : {false, true}) {
      const net::TlsFiles files{own.file, own.key_file, needs_chain ? one.file : ""};
      servers_[needs_chain] = net::TlsContext::create(files).value();
    }
    for (const bool is_old : {false, true}) {
      for (test::TlsClient::Context& client : clients_[is_old])
        client = test::TlsClient::make_context(is_old ? TLS1_2_VERSION : TLS1_3_VERSION);
      test::TlsClient::use(clients_[is_old][TlsWishes::kOne], one);
      test::TlsClient::use(clients_[is_old][TlsWishes::kTooLong], many);
    }
  }

  const net::TlsContext& server(const TlsWishes& wishes) const {
    return *servers_[wishes.needs_chain];
  }
  const test::TlsClient::Context& client(const TlsWishes& wishes) const {
    return clients_[wishes.is_old][wishes.chain];
  }

 private:
  std::shared_ptr<const net::TlsContext> servers_[2];
  test::TlsClient::Context clients_[2][3];
};

}  // namespace ringmaster::fuzz
