#include "master/frontend/client_debts.h"

#include <sys/random.h>

#include "base/assert.h"

namespace ringmaster::master {

std::string random_salt() {
  std::string salt(16, '\0');
  RM_ASSERT(::getrandom(salt.data(), salt.size(), 0) == static_cast<ssize_t>(salt.size()));
  return salt;
}

}  // namespace ringmaster::master
