#include "net/client/certificate_error.h"

#include <algorithm>
#include <fmt/format.h>
#include <memory>
#include <openssl/bio.h>
#include <openssl/x509v3.h>

namespace ringmaster::net {
namespace {

constexpr size_t kShownBytesMax = 200;

bool is_control(char c) {
  return (c >= 0 && c < ' ') || c == 0x7f;
}

// Returns what `print` writes to a BIO, made safe for a terminal: the server chose the text.
template <class Print>
std::string printed(Print print) {
  const std::unique_ptr<BIO, decltype(&::BIO_free)> out(::BIO_new(::BIO_s_mem()), ::BIO_free);
  print(out.get());
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  std::string shown(text, std::min(static_cast<size_t>(size), kShownBytesMax));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return is_control(c); }, '?');
  return shown;
}

std::string subject_of(X509* certificate) {
  return printed([&](BIO* out) {
    ::X509_NAME_print_ex(out, ::X509_get_subject_name(certificate), 0, XN_FLAG_ONELINE);
  });
}

// The names that OpenSSL checks: the subjectAltNames, not the common name.
std::string names_of(X509* certificate) {
  const std::unique_ptr<GENERAL_NAMES, decltype(&::GENERAL_NAMES_free)> names(
      static_cast<GENERAL_NAMES*>(
          ::X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
      ::GENERAL_NAMES_free);
  const int count = names == nullptr ? 0 : sk_GENERAL_NAME_num(names.get());
  if (count == 0) return "no name";
  return printed([&](BIO* out) {
    for (int i = 0; i < count; ++i) {
      if (i > 0) ::BIO_puts(out, ", ");
      ::GENERAL_NAME_print(out, sk_GENERAL_NAME_value(names.get(), i));
    }
  });
}

std::string text_of(const ASN1_TIME* time) {
  return printed([&](BIO* out) { ::ASN1_TIME_print(out, time); });
}

}  // namespace

std::string describe_fault(x509_store_ctx_st* checked, const std::string& host,
                           const std::string& ca) {
  X509* const certificate = ::X509_STORE_CTX_get_current_cert(checked);
  const int error = ::X509_STORE_CTX_get_error(checked);
  const char* const reason = ::X509_verify_cert_error_string(error);
  if (certificate == nullptr) return reason;
  switch (error) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return fmt::format("expected a certificate for {}, found one for {}", host,
                         names_of(certificate));
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return fmt::format("expected one that is valid now, found that {} expired {}",
                         subject_of(certificate), text_of(::X509_get0_notAfter(certificate)));
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return fmt::format("expected one that a CA in {} has signed, found {}: {}",
                         ca.empty() ? "the system's store (--ca FILE names another)" : ca,
                         subject_of(certificate), reason);
    default:
      return fmt::format("{}: {}", subject_of(certificate), reason);
  }
}

}  // namespace ringmaster::net
