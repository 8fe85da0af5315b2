#include "base/secret.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>

namespace ringmaster {

static_assert(SHA256_DIGEST_LENGTH == 32);

Secret::Secret(std::string_view text) {
  ::SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest_.data());
}

bool Secret::operator==(const Secret& other) const {
  return ::CRYPTO_memcmp(digest_.data(), other.digest_.data(), digest_.size()) == 0;
}

std::string Secret::fingerprint() const {
  return fmt::format("{:02x}{:02x}{:02x}{:02x}", digest_[0], digest_[1], digest_[2], digest_[3]);
}

}  // namespace ringmaster
