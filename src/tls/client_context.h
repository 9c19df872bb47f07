// ClientContext: how we speak TLS to backends. One per policy and worker; it remembers sessions per
// endpoint and name, so that new connections to a backend resume.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tls/certificate.h"
#include "tls/library.h"
#include "tls/server_context.h"

namespace tls {

struct ClientPolicy {
  bool verify = true;
  std::shared_ptr<const TrustedCertificates> trusted{};  // needed when `verify`
  int verify_depth = 1;  // intermediates allowed between the leaf and a trusted certificate
  std::vector<Version> versions{Version::tls1_2, Version::tls1_3};
  std::string ciphers = "DEFAULT";
  std::string suites{};
  std::vector<std::string> alpn{};
  CertificatePtr certificate{};  // shown to backends that ask; its key is the Signer's
  bool session_reuse = true;

  /// By what they say: certificates by their bytes.
  [[nodiscard]] bool operator==(const ClientPolicy& other) const;
};

/// To whom one connection goes.
struct ClientTarget {
  std::string sni{};  // sent when not empty and not an IP address
  std::string verify_name{};  // DNS name or IP address that the certificate must have (RFC 6125)
  std::string session_key{};  // endpoint: sessions are kept per endpoint and names; empty: none
};

/// Why a backend's certificate was not accepted.
struct VerifyFailure {
  enum class Check : std::uint8_t {
    chain,
    expired,
    not_yet_valid,
    self_signed,
    unknown_issuer,
    name
  };
  Check check = Check::chain;
  int code = 0;  // X509_V_ERR_...
  int depth = 0;  // 0: the backend's own certificate
  std::string reason;  // OpenSSL's words: "certificate has expired"
  std::string subject;  // of the certificate at that depth
  std::vector<std::string> names;  // in the backend's certificate, when the name did not match
  std::string wanted;  // verify_name

  /// nginx's form: "upstream SSL certificate verify error: (10:certificate has expired)", then what
  /// to do about it.
  [[nodiscard]] std::string sentence() const;
};

class ClientContext {
 public:
  [[nodiscard]] static std::expected<std::unique_ptr<ClientContext>, std::string> make(
      Library& library, const ClientPolicy& policy);
  ~ClientContext();
  ClientContext(const ClientContext&) = delete;
  ClientContext& operator=(const ClientContext&) = delete;

  struct State;
  [[nodiscard]] const std::shared_ptr<State>& state() const noexcept { return state_; }
  /// Unique in the process and never used again, unlike its address. Not 0.
  [[nodiscard]] std::uint64_t id() const noexcept { return id_; }
  [[nodiscard]] const ClientPolicy& policy() const noexcept;

  static constexpr std::size_t kMaxSessions = 1000;

 private:
  explicit ClientContext(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
  std::uint64_t id_;
};

/// Checks a policy without a worker. A sentence, or empty.
[[nodiscard]] std::string problem_of(const ClientPolicy& policy);

}  // namespace tls
