// Options of an upstream. config fills them, defaults included.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace ringmaster::upstream {

enum class HttpVersion : uint8_t {
  kAuto,   // what TLS negotiates; without TLS HTTP/1.1
  kHttp1,  // HTTP/1.1
  kHttp2,  // what TLS negotiates, and HTTP/2 is expected before the first response. With https only
};

// An HTTP service that fetch steps call: [upstreams.NAME].
struct UpstreamOptions {
  std::string name;
  std::string url;                                           // "unix:PATH": a unix socket
  std::vector<std::pair<std::string, std::string>> headers;  // of every fetch: name, template
  std::string tls_ca_file;           // of an https server's certificate; empty: the system's CAs
  std::string tls_certificate_file;  // shown to the server; empty: none
  std::string tls_key_file;
  HttpVersion http = HttpVersion::kAuto;
  bool follows_redirects = false;  // within the url's origin; else a redirect is a failure
  uint64_t timeout_ms = 1000;
  uint64_t connections = 256;         // at once; further fetches wait for one
  uint64_t body_bytes = 16ull << 20;  // a longer response is an upstream failure
};

}  // namespace ringmaster::upstream
