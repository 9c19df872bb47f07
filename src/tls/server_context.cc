#include "tls/server_context.h"

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>

#include "tls/connection.h"

namespace tls {
namespace {

constexpr const char* kGroups = "X25519:P-256:P-384";
constexpr const char* kGroupsWithHybrid = "X25519MLKEM768:X25519:P-256:P-384";
constexpr const char* kAllSuites =
    "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256";

// Sessions are bound to it (SSL_set_session_id_context): whatever makes two policies differ is in
// it.
KeyId fingerprint(const ServerPolicy& policy) {
  std::string text;
  const auto add = [&text](std::string_view part) {
    fmt::format_to(std::back_inserter(text), "{}:{};", part.size(), part);
  };
  for (const Version version : policy.versions) add(std::to_string(static_cast<int>(version)));
  add(policy.ciphers);
  add(policy.suites);
  add(policy.groups);
  add(policy.prefer_server_ciphers ? "ours" : "theirs");
  add(fmt::format("{}", fmt::join(policy.alpn, ",")));
  add(policy.tickets ? "tickets" : "none");
  add(std::to_string(policy.session_timeout.count()));
  add(policy.session_scope);
  KeyId digest{};
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
  return digest;
}

std::string set_groups(SSL_CTX* context, const std::string& groups) {
  if (!groups.empty()) {
    if (SSL_CTX_set1_groups_list(context, groups.c_str()) == 1) return {};
    return fmt::format("the groups \"{}\" are not accepted ({})", groups, take_error_reason());
  }
  if (SSL_CTX_set1_groups_list(context, kGroupsWithHybrid) == 1) return {};
  ERR_clear_error();
  if (SSL_CTX_set1_groups_list(context, kGroups) == 1) return {};
  return take_error_reason();
}

int on_client_hello(SSL* ssl, int* alert, void* /*argument*/) {
  using Choice = TlsStream::Connection::Choice;
  switch (connection_of(ssl)->choice) {
    case Choice::made: return SSL_CLIENT_HELLO_SUCCESS;
    case Choice::open:
      return SSL_CLIENT_HELLO_RETRY;  // select_server() decides, on the normal stack
    case Choice::refused: *alert = SSL_AD_UNRECOGNIZED_NAME; return SSL_CLIENT_HELLO_ERROR;
    case Choice::malformed: *alert = SSL_AD_DECODE_ERROR; return SSL_CLIENT_HELLO_ERROR;
  }
  return SSL_CLIENT_HELLO_ERROR;
}

// Only full handshakes come here: a resumed one needs no certificate.
int on_certificate(SSL* ssl, void* /*argument*/) {
  const TlsStream::Connection& connection = *connection_of(ssl);
  if (SSL_SESSION* session = SSL_get_session(ssl)) {
    SSL_SESSION_set_timeout(
        session, static_cast<long>(connection.server_state->policy.session_timeout.count()));
  }
  for (const auto& parsed : connection.certificates) {
    if (!parsed) continue;
    if (SSL_use_certificate(ssl, parsed->leaf.get()) != 1 ||
        SSL_set1_chain(ssl, parsed->chain.get()) != 1 ||
        SSL_use_PrivateKey(ssl, parsed->key.get()) != 1) {
      return 0;
    }
  }
  return 1;
}

int on_alpn(SSL* /*ssl*/, const unsigned char** chosen, unsigned char* chosen_size,
            const unsigned char* offered, unsigned int offered_size, void* argument) {
  const auto& ours = static_cast<const ServerContext::State*>(argument)->alpn;
  unsigned char* found = nullptr;
  if (SSL_select_next_proto(&found, chosen_size, ours.data(),
                            static_cast<unsigned int>(ours.size()), offered,
                            offered_size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;  // RFC 7301 §3.2: no_application_protocol
  }
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

// RFC 5077 §4's recommended construction; OpenSSL lays the ticket out. 0: no such key (or no
// tickets), 1: fine, 2: fine, but give the client a new one.
int on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
              EVP_MAC_CTX* mac, int encrypt) {
  ServerContext::State& state = *connection_of(ssl)->server_state;
  if (!state.ticket_keys) return 0;
  TicketKeys::Copy& copy = state.ticket_copy;
  state.ticket_keys->refresh(copy);
  auto key = copy.keys.begin();
  const std::span key_name(name, key->name.size());
  if (encrypt == 1) {
    std::ranges::copy(key->name, key_name.begin());
    if (RAND_bytes_ex(state.library.context.get(), iv, 16, 0) != 1) return -1;
  } else {
    key = std::ranges::find_if(
        copy.keys, [&](const TicketKey& one) { return std::ranges::equal(one.name, key_name); });
    if (key == copy.keys.end()) return 0;
  }
  std::string digest = "SHA256";
  const std::array params{OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac_key.data(),
                                                            key->mac_key.size()),
                          OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
                          OSSL_PARAM_construct_end()};
  const EVP_CIPHER* algorithm = state.library.ticket_cipher.get();
  if (EVP_MAC_CTX_set_params(mac, params.data()) != 1 ||
      EVP_CipherInit_ex2(cipher, algorithm, key->cipher_key.data(), iv, encrypt, nullptr) != 1) {
    return -1;
  }
  // A ticket of TLS 1.3 should be shown once (RFC 8446 §C.4): each resumption gets a new one.
  const bool renew = key != copy.keys.begin() || SSL_version(ssl) == TLS1_3_VERSION;
  return encrypt == 0 && renew ? 2 : 1;
}

std::string configure(SSL_CTX* context, const ServerPolicy& policy) {
  set_common_options(context);
  if (auto problem = set_versions(context, policy.versions); !problem.empty()) return problem;
  if (auto problem = set_ciphers(context, policy.ciphers, policy.suites, policy.versions);
      !problem.empty()) {
    return problem;
  }
  if (auto problem = set_groups(context, policy.groups); !problem.empty()) return problem;
  if (policy.prefer_server_ciphers) SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
  if (!policy.tickets) SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  SSL_CTX_set_num_tickets(context, policy.tickets ? 1 : 0);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_timeout(context, static_cast<long>(policy.session_timeout.count()));
  const KeyId scope = fingerprint(policy);
  SSL_CTX_set_session_id_context(context, scope.data(), static_cast<unsigned int>(scope.size()));
  SSL_CTX_set_client_hello_cb(context, on_client_hello, nullptr);
  SSL_CTX_set_cert_cb(context, on_certificate, nullptr);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
  return {};
}

}  // namespace

void switch_policy(SSL* ssl, const ServerContext::State& from, const ServerContext::State& to) {
  if (&from == &to) return;
  SSL_CTX* context = to.context.get();
  SSL_set_SSL_CTX(ssl, context);
  // What SSL_new() copied from the context is not touched by SSL_set_SSL_CTX().
  SSL_set_session_id_context(ssl, to.scope.data(), static_cast<unsigned int>(to.scope.size()));
  SSL_clear_options(ssl, SSL_get_options(ssl));
  SSL_set_options(ssl, SSL_CTX_get_options(context));
  SSL_set_min_proto_version(ssl, static_cast<int>(SSL_CTX_get_min_proto_version(context)));
  SSL_set_max_proto_version(ssl, static_cast<int>(SSL_CTX_get_max_proto_version(context)));
  SSL_set_num_tickets(ssl, SSL_CTX_get_num_tickets(context));
  if (from.policy.suites != to.policy.suites) {
    SSL_set_ciphersuites(ssl, to.policy.suites.empty() ? kAllSuites : to.policy.suites.c_str());
  }
  if (from.policy.groups != to.policy.groups) {
    const bool named = !to.policy.groups.empty();
    if (SSL_set1_groups_list(ssl, named ? to.policy.groups.c_str() : kGroupsWithHybrid) != 1) {
      SSL_set1_groups_list(ssl, kGroups);
    }
  }
}

ServerContext::ServerContext(std::shared_ptr<State> state) : state_(std::move(state)) {}
ServerContext::~ServerContext() = default;

std::expected<std::unique_ptr<ServerContext>, std::string> ServerContext::make(
    Library& library, const ServerPolicy& policy, std::shared_ptr<TicketKeys> keys) {
  Library::State& worker = library.state();
  SslCtxPtr context(SSL_CTX_new_ex(worker.context.get(), nullptr, TLS_server_method()));
  if (!context) return std::unexpected(take_error_reason());
  if (auto problem = configure(context.get(), policy); !problem.empty()) {
    return std::unexpected(std::move(problem));
  }
  auto state = std::make_shared<State>(State{.library = worker,
                                             .context = std::move(context),
                                             .policy = policy,
                                             .scope = fingerprint(policy),
                                             .alpn = alpn_wire_form(policy.alpn),
                                             .ticket_keys = std::move(keys),
                                             .ticket_copy = {}});
  if (!state->alpn.empty()) {
    SSL_CTX_set_alpn_select_cb(state->context.get(), on_alpn, state.get());
  }
  return std::unique_ptr<ServerContext>(new ServerContext(std::move(state)));
}

std::string problem_of(const ServerPolicy& policy) {
  const SslCtxPtr context(SSL_CTX_new(TLS_server_method()));
  return context ? configure(context.get(), policy) : take_error_reason();
}

}  // namespace tls
