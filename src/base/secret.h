// Secret: a token that is known again and never shown: of its text only the SHA-256 is kept.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace ringmaster {

class Secret {
 public:
  explicit Secret(std::string_view text);

  // Takes as long wherever the two differ, so that nobody can find a token out piece by piece.
  bool operator==(const Secret& other) const;
  // Eight hex digits of the SHA-256: tells one secret from another, and does not give it away.
  std::string fingerprint() const;

 private:
  std::array<uint8_t, 32> digest_;
};

}  // namespace ringmaster
