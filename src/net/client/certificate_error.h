// describe_fault(): why a server's certificate was rejected, for people.
#pragma once

#include <string>

struct x509_store_ctx_st;

namespace ringmaster::net {

// Says what was expected and what was found. `checked`: the failed verification. `host`: the name
// expected in the certificate. `ca`: the file of trusted CAs; empty: the system's CAs.
std::string describe_fault(x509_store_ctx_st* checked, const std::string& host,
                           const std::string& ca);

}  // namespace ringmaster::net
