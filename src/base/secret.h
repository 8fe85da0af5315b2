// Secret: a token that can be compared but not shown: only its SHA-256 is kept.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace ringmaster {

class Secret {
 public:
  explicit Secret(std::string_view text);

  // Constant time, so that no client can guess a token piece by piece.
  bool operator==(const Secret& other) const;
  // Eight hex digits of the SHA-256: identifies a secret without revealing it.
  std::string fingerprint() const;

 private:
  std::array<uint8_t, 32> digest_;
};

}  // namespace ringmaster
