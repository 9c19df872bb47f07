// Whom a client accepts, and what it says about whom it does not.
#include <fmt/core.h>
#include <fmt/ranges.h>
#include <openssl/sslerr.h>

#include <algorithm>

#include "base/text.h"
#include "tls/connection.h"

namespace tls {
namespace {

constexpr std::string_view kPinPrefix = "sha256//";

VerifyFailure::Check check_of(int code) {
  using enum VerifyFailure::Check;
  switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED: return expired;
    case X509_V_ERR_CERT_NOT_YET_VALID: return not_yet_valid;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN: return self_signed;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE: return unknown_issuer;
    case X509_V_ERR_CERT_CHAIN_TOO_LONG: return too_long;
    case X509_V_ERR_CERT_REVOKED: return revoked;
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
    case X509_V_ERR_UNABLE_TO_DECRYPT_CRL_SIGNATURE:
    case X509_V_ERR_CRL_SIGNATURE_FAILURE:
    case X509_V_ERR_CRL_NOT_YET_VALID:
    case X509_V_ERR_CRL_HAS_EXPIRED:
    case X509_V_ERR_ERROR_IN_CRL_LAST_UPDATE_FIELD:
    case X509_V_ERR_ERROR_IN_CRL_NEXT_UPDATE_FIELD:
    case X509_V_ERR_KEYUSAGE_NO_CRL_SIGN:
    case X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION:
    case X509_V_ERR_DIFFERENT_CRL_SCOPE:
    case X509_V_ERR_CRL_PATH_VALIDATION_ERROR: return revocation_list;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: return name;
    default: return chain;
  }
}

TlsStream::Connection& connection_of(X509_STORE_CTX* store) {
  const auto* ssl = static_cast<const SSL*>(
      X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  return *tls::connection_of(ssl);
}

// The first failure of a connection is the one that is told.
int on_verified(int fine, X509_STORE_CTX* store) {
  if (fine == 1) return 1;
  TlsStream::Connection& connection = connection_of(store);
  if (connection.verify_failure) return 0;
  connection.verify_failure = std::make_unique<VerifyFailure>();
  VerifyFailure& failure = *connection.verify_failure;
  failure.code = X509_STORE_CTX_get_error(store);
  failure.depth = X509_STORE_CTX_get_error_depth(store);
  failure.check = check_of(failure.code);
  failure.reason = X509_verify_cert_error_string(failure.code);
  failure.wanted = connection.client->target.verify_name;
  if (const X509* culprit = X509_STORE_CTX_get_current_cert(store)) {
    failure.subject = subject_of(culprit);
    failure.issuer = text_of(X509_get_issuer_name(culprit));
  }
  if (failure.check == VerifyFailure::Check::name) {
    read_names(X509_STORE_CTX_get0_cert(store), failure.names, failure.names);
  }
  return 0;
}

// Of the SubjectPublicKeyInfo as it stands in the certificate, whatever kind of key it is.
KeyId pin_of(const X509* certificate) {
  KeyId pin{};
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  if (size > 0) {
    EVP_Digest(der, static_cast<std::size_t>(size), pin.data(), nullptr, EVP_sha256(), nullptr);
  }
  OPENSSL_free(der);
  return pin;
}

bool check_pins(X509_STORE_CTX* store, TlsStream::Connection& connection) {
  const std::vector<KeyId>& pins = policy_of(connection).pins;
  if (pins.empty()) return true;
  const X509* leaf = X509_STORE_CTX_get0_cert(store);
  const KeyId found = leaf == nullptr ? KeyId{} : pin_of(leaf);
  if (leaf != nullptr && std::ranges::find(pins, found) != pins.end()) return true;
  connection.verify_failure = std::make_unique<VerifyFailure>();
  VerifyFailure& failure = *connection.verify_failure;
  failure.check = VerifyFailure::Check::pin;
  failure.code = X509_V_ERR_CERT_REJECTED;
  failure.reason = X509_verify_cert_error_string(failure.code);
  if (leaf != nullptr) failure.subject = subject_of(leaf);
  failure.found = pin_text(found);
  for (const KeyId& pin : pins) {
    failure.wanted += (failure.wanted.empty() ? "" : " or ") + pin_text(pin);
  }
  return false;
}

// Instead of OpenSSL's own: the chain if it is to be verified, then the pins. Resumed sessions do
// not come here; they are kept by contexts, which have one policy.
int verify(X509_STORE_CTX* store, void* /*argument*/) {
  TlsStream::Connection& connection = connection_of(store);
  if (policy_of(connection).verify && X509_verify_cert(store) <= 0) return 0;
  if (check_pins(store, connection)) return 1;
  X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);  // the alert bad_certificate
  return 0;
}

}  // namespace

std::optional<KeyId> parse_pin(std::string_view text) {
  if (!base::starts_with_ignoring_case(text, kPinPrefix)) return std::nullopt;
  text.remove_prefix(kPinPrefix.size());
  KeyId pin{};
  std::array<unsigned char, 33> bytes{};  // 32 and the padding's zero
  if (text.size() != 44 || !text.ends_with('=') || text.substr(0, 43).contains('=') ||
      EVP_DecodeBlock(bytes.data(), reinterpret_cast<const unsigned char*>(text.data()), 44) !=
          static_cast<int>(bytes.size())) {
    ERR_clear_error();
    return std::nullopt;
  }
  std::ranges::copy(std::span(bytes).first<32>(), pin.begin());
  return pin;
}

std::string pin_text(const KeyId& pin) {
  std::array<unsigned char, 45> text{};  // 44 and the final zero
  EVP_EncodeBlock(text.data(), pin.data(), static_cast<int>(pin.size()));
  return std::string(kPinPrefix) + reinterpret_cast<const char*>(text.data());
}

void set_verification(SSL_CTX* context, const ClientPolicy& policy) {
  const bool asks = policy.verify || !policy.pins.empty();
  SSL_CTX_set_verify(context, asks ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, on_verified);
  SSL_CTX_set_verify_depth(context, policy.verify_depth);
  SSL_CTX_set_cert_verify_callback(context, verify, nullptr);
  if (policy.verify && policy.revocations) {
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context),
                                X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
  }
}

std::string VerifyFailure::sentence() const {
  using enum Check;
  if (check == pin) {
    return fmt::format(
        "upstream SSL certificate pin mismatch: the key in \"{}\" is {}, wanted {}; if the "
        "backend's key was changed on purpose, set proxy_ssl_pin to the new one",
        subject, found, wanted);
  }
  std::string text = fmt::format("upstream SSL certificate verify error: ({}:{})", code, reason);
  if (!subject.empty()) text += fmt::format(" in \"{}\"", subject);
  switch (check) {
    case name:
      text += fmt::format(
          ": wanted \"{}\", the certificate is for {}; set proxy_ssl_name to one of these", wanted,
          names.empty() ? "no name" : fmt::format("{}", fmt::join(names, ", ")));
      break;
    case expired:
    case not_yet_valid:
      text += depth == 0 ? "; renew the backend's certificate" : "; renew this certificate";
      break;
    case too_long:
      text += "; more intermediates than proxy_ssl_verify_depth allows: raise it";
      break;
    // Verification is what noticed: to end it is no remedy.
    case revoked:
      return text +
             fmt::format(": \"{}\" has revoked it (proxy_ssl_crl); give the backend a new one",
                         issuer);
    case revocation_list:
      return text + fmt::format("; proxy_ssl_crl needs a valid list of \"{}\": fetch it and reload",
                                issuer);
    case self_signed:
    case unknown_issuer:
    case chain: text += "; trust its issuer with proxy_ssl_trusted_certificate"; break;
    case pin: break;  // above
  }
  return text + ", or set proxy_ssl_verify off";
}

std::string_view advice_for_client(const TlsStream::Connection& connection,
                                   unsigned long error) noexcept {
  if (ERR_GET_LIB(error) != ERR_LIB_SSL) return {};
  switch (ERR_GET_REASON(error)) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_HTTP_REQUEST:
      return "; what answers there does not speak TLS: proxy_pass http://, or its TLS port";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
      return "; no version of TLS is spoken by both sides: see proxy_ssl_protocols";
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      return "; the backend asks for a certificate: set proxy_ssl_certificate and "
             "proxy_ssl_certificate_key";
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
    case SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY:
      if (connection.facts.certificate_missed) {
        return "; the backend asks for a certificate: set proxy_ssl_certificate and "
               "proxy_ssl_certificate_key";
      }
      return "; the backend takes nothing of what it was offered: see proxy_ssl_ciphers and "
             "proxy_ssl_protocols";
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
      return "; the backend does not take our certificate: see proxy_ssl_certificate";
    case SSL_R_TLSV1_UNRECOGNIZED_NAME:
      return "; the backend has no server of that name: see proxy_ssl_name";
    case SSL_R_UNSAFE_LEGACY_RENEGOTIATION_DISABLED:
      return "; the backend's TLS is from before RFC 5746: update it, or set "
             "proxy_ssl_conf_command Options UnsafeLegacyServerConnect";
    default: return {};
  }
}

}  // namespace tls
