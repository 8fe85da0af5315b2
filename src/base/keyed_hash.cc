#include "base/keyed_hash.h"

#include <cstring>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <string>

#include "base/assert.h"

namespace ringmaster {
namespace {

std::string random_bytes() {
  std::string bytes(SHA256_DIGEST_LENGTH, '\0');
  const int made =
      ::RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  RM_ASSERT(made == 1);
  return bytes;
}

}  // namespace

KeyedHash keyed_hash(std::string_view text) {
  static const std::string secret = random_bytes();
  std::string whole;
  whole.reserve(secret.size() + text.size());
  whole.append(secret).append(text);
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  ::SHA256(reinterpret_cast<const unsigned char*>(whole.data()), whole.size(), digest.data());
  KeyedHash hash;
  std::memcpy(hash.bits.data(), digest.data(), sizeof(hash.bits));
  return hash;
}

}  // namespace ringmaster
