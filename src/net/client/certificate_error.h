// describe_fault(): why a server's certificate was not accepted, for people.
#pragma once

#include <string>

struct x509_store_ctx_st;

namespace ringmaster::net {

// What was expected and what was found. `checked`: where its verification has failed. `host`: whose
// it should be. `ca`: the file of those who are trusted; empty: the system's are.
std::string describe_fault(x509_store_ctx_st* checked, const std::string& host,
                           const std::string& ca);

}  // namespace ringmaster::net
