// Shared by the tests and the fuzzer of TLS: generated certificates, and a client in memory.
#pragma once

#include <cstdio>
#include <fstream>
#include <memory>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "temporary_folder.h"

namespace ringmaster::test {

template <auto Function>
struct Call {
  template <class T>
  void operator()(T* what) const {
    Function(what);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Call<EVP_PKEY_free>>;
using X509Pointer = std::unique_ptr<X509, Call<X509_free>>;

// A self-signed certificate (it is its own CA) and its key, as NAME.pem and NAME.key in a folder.
struct Certificate {
  Certificate(const TemporaryFolder& folder, const std::string& name,
              const Key& key = Key(EVP_EC_gen("P-256")))
      : file(folder.at(name + ".pem")), key_file(folder.at(name + ".key")) {
    const X509Pointer certificate(X509_new());
    X509* const x509 = certificate.get();
    X509_set_version(x509, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
    ASN1_TIME_set_string(X509_getm_notBefore(x509), "20200101000000Z");
    ASN1_TIME_set_string(X509_getm_notAfter(x509), "20990101000000Z");
    X509_set_pubkey(x509, key.get());
    X509_NAME* const subject = X509_get_subject_name(x509);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_issuer_name(x509, subject);
    RM_ASSERT(X509_sign(x509, key.get(), EVP_sha256()) > 0);
    std::FILE* out = std::fopen(file.c_str(), "w");
    PEM_write_X509(out, x509);
    std::fclose(out);
    out = std::fopen(key_file.c_str(), "w");
    PEM_write_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(out);
  }

  // Writes the key with a passphrase.
  void write_locked_key(const std::string& path) const {
    std::FILE* const in = std::fopen(key_file.c_str(), "r");
    const Key key(PEM_read_PrivateKey(in, nullptr, nullptr, nullptr));
    std::fclose(in);
    std::FILE* const out = std::fopen(path.c_str(), "w");
    PEM_write_PrivateKey(out, key.get(), EVP_aes_128_cbc(), nullptr, 0, nullptr,
                         const_cast<char*>("secret"));
    std::fclose(out);
  }

  std::string text() const {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  std::string file;
  std::string key_file;
};

// A TLS client whose wire is two strings: sent() and receive().
class TlsClient {
 public:
  using Context = std::shared_ptr<SSL_CTX>;

  explicit TlsClient(int version = TLS1_3_VERSION) : TlsClient(make_context(version)) {}
  explicit TlsClient(Context context) : context_(std::move(context)) {}

  static Context make_context(int version) {
    Context made(SSL_CTX_new(TLS_client_method()), Call<SSL_CTX_free>());
    SSL_CTX_set_min_proto_version(made.get(), version);
    SSL_CTX_set_max_proto_version(made.get(), version);
    SSL_CTX_set_security_level(made.get(), 0);  // so that the client may offer old versions
    return made;
  }
  void use(const Certificate& own) { use(context_, own); }
  static void use(const Context& context, const Certificate& own) {
    SSL_CTX* const to = context.get();
    RM_ASSERT(SSL_CTX_use_certificate_chain_file(to, own.file.c_str()) == 1);
    RM_ASSERT(SSL_CTX_use_PrivateKey_file(to, own.key_file.c_str(), SSL_FILETYPE_PEM) == 1);
  }

  // Goes on with the handshake; returns the result of SSL_do_handshake().
  int shake_hands() { return SSL_do_handshake(ssl()); }
  int write(std::string_view bytes) {
    return SSL_write(ssl(), bytes.data(), static_cast<int>(bytes.size()));
  }
  std::string read() {
    std::string all;
    char bytes[4096];
    for (int got; (got = SSL_read(ssl(), bytes, sizeof bytes)) > 0;)
      all.append(bytes, static_cast<size_t>(got));
    return all;
  }
  bool was_ended() { return (SSL_get_shutdown(ssl()) & SSL_RECEIVED_SHUTDOWN) != 0; }

  std::string sent() {
    std::string bytes(BIO_ctrl_pending(out_), '\0');
    if (!bytes.empty()) BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
  }
  void receive(std::string_view bytes) {
    if (!bytes.empty()) BIO_write(in_, bytes.data(), static_cast<int>(bytes.size()));
  }

  SSL* ssl() {
    if (ssl_ == nullptr) {
      ssl_.reset(SSL_new(context_.get()));
      in_ = BIO_new(BIO_s_mem());
      out_ = BIO_new(BIO_s_mem());
      BIO_set_mem_eof_return(in_, -1);
      SSL_set_bio(ssl_.get(), in_, out_);
      SSL_set_connect_state(ssl_.get());
    }
    return ssl_.get();
  }

 private:
  Context context_;
  std::unique_ptr<SSL, Call<SSL_free>> ssl_;
  BIO* in_ = nullptr;
  BIO* out_ = nullptr;
};

}  // namespace ringmaster::test
