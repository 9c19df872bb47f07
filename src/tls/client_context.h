// ClientContext: how we speak TLS to backends. One per policy and worker; it remembers sessions per
// endpoint and name, so that new connections to a backend resume.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tls/certificate.h"
#include "tls/conf_command.h"
#include "tls/library.h"
#include "tls/revocation_lists.h"
#include "tls/server_context.h"

namespace tls {

/// SHA-256 of a SubjectPublicKeyInfo in DER (RFC 7469 §2.4), in curl's notation
/// "sha256//BASE64".
[[nodiscard]] std::optional<KeyId> parse_pin(std::string_view text);
[[nodiscard]] std::string pin_text(const KeyId& pin);

/// The groups of the key exchange are OpenSSL's own choice, unless a command says otherwise: from
/// 3.5 on X25519MLKEM768 is the first of them and X25519 comes along, so that no backend needs a
/// second round trip.
struct ClientPolicy {
  bool verify = true;
  std::shared_ptr<const TrustedCertificates> trusted{};  // needed when `verify`
  /// Looked at when `verify`: then every certificate of a chain, but for what ends it, needs a list
  /// of its issuer's that is valid and does not name it. Null: nobody's revocation is asked for.
  std::shared_ptr<const RevocationLists> revocations{};
  int verify_depth = 1;  // intermediates allowed between the leaf and a trusted certificate
  /// One of them must be the backend's key, also without `verify`. Empty: any key will do.
  std::vector<KeyId> pins{};
  std::vector<Version> versions{Version::tls1_2, Version::tls1_3};
  std::string ciphers = "DEFAULT";
  std::string suites{};
  std::vector<ConfCommand> commands{};
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
    too_long,  // the chain
    revoked,
    revocation_list,  // none of an issuer's, or none that is valid
    name,
    pin
  };
  Check check = Check::chain;
  int code = 0;  // X509_V_ERR_...
  int depth = 0;  // 0: the backend's own certificate
  std::string reason;  // OpenSSL's words: "certificate has expired"
  std::string subject;  // of the certificate at that depth
  std::string issuer;  // its
  std::vector<std::string> names;  // in the backend's certificate, when the name did not match
  std::string wanted;  // verify_name; the pins
  std::string found;  // the pin of the backend's key

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
