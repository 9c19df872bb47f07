#include "tls/server_context.h"

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <optional>

#include "tls/connection.h"
#include "tls/session_ticket.h"

namespace tls {
namespace {

constexpr std::string_view kGroups = "X25519:P-256:P-384";
constexpr std::string_view kWideGroups = "X25519:P-256:X448:P-521:P-384";  // OpenSSL's own list
constexpr std::string_view kHybrid = "X25519MLKEM768:";
constexpr const char* kAllSuites =
    "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256";

// Sessions are bound to it (SSL_set_session_id_context): whatever makes two policies differ in what
// they ask of a client is in it. Keys of tickets, caches and the size of records are not: those
// change while sessions live. It says nothing of this process, so another one with the same
// configuration and the same ssl_session_ticket_key takes its sessions.
KeyId fingerprint(const ServerPolicy& policy) {
  std::string text;
  const auto add = [&text](std::string_view part) {
    fmt::format_to(std::back_inserter(text), "{}:{};", part.size(), part);
  };
  for (const Version version : policy.versions) add(std::to_string(static_cast<int>(version)));
  add(policy.ciphers);
  add(policy.suites);
  add(policy.groups);
  add(policy.wide_groups ? "wide" : "narrow");
  add(policy.dh_parameters);
  add(policy.prefer_server_ciphers ? "ours" : "theirs");
  add(fmt::format("{}", fmt::join(policy.alpn, ",")));
  add(policy.tickets ? "tickets" : "none");
  add(std::to_string(policy.session_timeout.count()));
  add(policy.early_data ? "early" : "late");
  for (const ConfCommand& command : policy.commands) {
    add(command.name);
    add(command.value);
  }
  add(policy.session_scope);
  KeyId digest{};
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
  return digest;
}

// The list that was taken, or a sentence.
std::expected<std::string, std::string> set_groups(SSL_CTX* context, const ServerPolicy& policy) {
  const bool automatic = policy.groups.empty();
  std::string base(automatic ? (policy.wide_groups ? kWideGroups : kGroups) : policy.groups);
  if (automatic) {
    std::string hybrid = std::string(kHybrid) + base;
    if (SSL_CTX_set1_groups_list(context, hybrid.c_str()) == 1) return hybrid;
    ERR_clear_error();
  }
  if (SSL_CTX_set1_groups_list(context, base.c_str()) == 1) return base;
  return std::unexpected(
      fmt::format("the groups \"{}\" are not accepted ({})", base, take_error_reason()));
}

std::string set_dh_parameters(SSL_CTX* context, const std::string& pem, OSSL_LIB_CTX* library) {
  if (pem.empty()) return {};
  const BioPtr bio = bio_over(pem);
  PkeyPtr parameters(PEM_read_bio_Parameters_ex(bio.get(), nullptr, library, nullptr));
  // "DHX" is what "openssl dhparam -dsaparam" makes: parameters with the order of their group.
  if (!parameters ||
      (EVP_PKEY_is_a(parameters.get(), "DH") != 1 && EVP_PKEY_is_a(parameters.get(), "DHX") != 1)) {
    ERR_clear_error();
    return "it has no Diffie-Hellman parameters (no PEM block \"BEGIN DH PARAMETERS\")";
  }
  if (SSL_CTX_set0_tmp_dh_pkey(context, parameters.get()) != 1) {
    return fmt::format("its {} bits are not accepted ({})", EVP_PKEY_get_bits(parameters.get()),
                       take_error_reason());
  }
  static_cast<void>(parameters.release());  // the context owns it now
  return {};
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
  for (const auto& parsed : connection.handshake->certificates) {
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
  if (newest_ticket_key(state) == nullptr) return 0;
  TicketKeys::Copy& copy = state.ticket_copy;
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
  const std::array params{
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac_key.data(), key->size),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
      OSSL_PARAM_construct_end()};
  if (EVP_MAC_CTX_set_params(mac, params.data()) != 1 ||
      EVP_CipherInit_ex2(cipher, ticket_cipher(state.library, *key), key->cipher_key.data(), iv,
                         encrypt, nullptr) != 1) {
    return -1;
  }
  // A ticket of TLS 1.3 should be shown once (RFC 8446 §C.4): each resumption gets a new one.
  const bool renew = key != copy.keys.begin() || SSL_version(ssl) == TLS1_3_VERSION;
  return encrypt == 0 && renew ? 2 : 1;
}

SessionCache::Seconds wall_seconds() {
  return std::chrono::floor<std::chrono::seconds>(
      std::chrono::system_clock::now().time_since_epoch());
}

// OpenSSL calls back by the context that the connection began with; the connection's own policy
// decides. What is kept are sessions without a stateless ticket: those of TLS 1.2 that have an id,
// and those of TLS 1.3 whose ticket is an id. 0: nothing of `session` is held on to.
int on_new_session(SSL* ssl, SSL_SESSION* session) {
  const ServerContext::State& state = *connection_of(ssl)->server_state;
  if (state.sessions == nullptr) return 0;
  const bool stateless = (SSL_get_options(ssl) & SSL_OP_NO_TICKET) == 0;
  if (SSL_version(ssl) == TLS1_3_VERSION && stateless) return 0;
  unsigned int id_size = 0;
  const unsigned char* id = SSL_SESSION_get_id(session, &id_size);
  const int size = i2d_SSL_SESSION(session, nullptr);
  if (id_size == 0 || size <= 0) return 0;
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(size));
  unsigned char* at = bytes.data();
  i2d_SSL_SESSION(session, &at);
  const std::size_t evicted = state.sessions->store(
      SessionCache::Id(reinterpret_cast<const char*>(id), id_size), bytes,
      SessionCache::Seconds(SSL_SESSION_get_time(session) + SSL_SESSION_get_timeout(session)),
      wall_seconds());
  OPENSSL_cleanse(bytes.data(), bytes.size());
  state.library.count(observe::Counter::sessions_stored);
  state.library.count(observe::Counter::limit_session_cache, evicted);
  return 0;
}

SSL_SESSION* on_find_session(SSL* ssl, const unsigned char* id, int id_size, int* copy) {
  *copy = 0;  // the caller owns it
  const ServerContext::State& state = *connection_of(ssl)->server_state;
  if (state.sessions == nullptr) return nullptr;
  auto bytes = state.sessions->find(
      SessionCache::Id(reinterpret_cast<const char*>(id), static_cast<std::size_t>(id_size)),
      wall_seconds());
  state.library.count(bytes ? observe::Counter::sessions_found : observe::Counter::sessions_missed);
  if (!bytes) return nullptr;
  const unsigned char* at = bytes->data();
  SSL_SESSION* session = d2i_SSL_SESSION(nullptr, &at, static_cast<long>(bytes->size()));
  OPENSSL_cleanse(bytes->data(), bytes->size());
  return session;
}

// Whether early data is taken: once per ClientHello, and only with a ticket of this process, which
// has seen all that was sent under it.
int on_early_data(SSL* ssl, void* /*argument*/) {
  const TlsStream::Connection& connection = *connection_of(ssl);
  const ServerContext::State& state = *connection.server_state;
  if (state.replays == nullptr) return 0;
  void* mark = nullptr;
  std::size_t size = 0;
  const auto& wanted = state.replays->mark();
  if (SSL_SESSION_get0_ticket_appdata(SSL_get_session(ssl), &mark, &size) != 1 ||
      !std::ranges::equal(std::span(static_cast<const std::uint8_t*>(mark), size), wanted)) {
    return 0;
  }
  ReplayGuard::Random random{};
  SSL_get_client_random(ssl, random.data(), random.size());
  switch (state.replays->check(random, connection.loop.now())) {
    case ReplayGuard::Verdict::fresh: return 1;
    case ReplayGuard::Verdict::replayed:
      state.library.count(observe::Counter::early_data_replayed);
      return 0;
    case ReplayGuard::Verdict::full:
      state.library.count(observe::Counter::limit_early_data);
      return 0;
  }
  return 0;
}

int on_ticket_made(SSL* ssl, void* /*argument*/) {
  const auto& replays = connection_of(ssl)->server_state->replays;
  if (replays == nullptr) return 1;
  return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), replays->mark().data(),
                                         replays->mark().size());
}

// Our own guard takes the place of OpenSSL's, which needs its own cache of sessions.
void set_early_data(SSL_CTX* context, const ServerPolicy& policy) {
  const std::uint32_t most = policy.early_data ? policy.early_data_size : 0;
  SSL_CTX_set_options(context, SSL_OP_NO_ANTI_REPLAY);
  SSL_CTX_set_max_early_data(context, most);
  SSL_CTX_set_recv_max_early_data(context, most);
  SSL_CTX_set_allow_early_data_cb(context, on_early_data, nullptr);
  SSL_CTX_set_session_ticket_cb(context, on_ticket_made, nullptr, nullptr);
}

void on_secret(const SSL* ssl, const char* line) {
  const KeyLogPtr& log = connection_of(ssl)->server_state->policy.key_log;
  if (log != nullptr) log->write(line);
}

void set_sessions(SSL_CTX* context, const ServerPolicy& policy) {
  const bool off = policy.sessions.mode == SessionStore::Mode::off;
  SSL_CTX_set_session_cache_mode(context, off ? SSL_SESS_CACHE_OFF
                                              : SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL |
                                                    SSL_SESS_CACHE_NO_AUTO_CLEAR);
  // Without stateless tickets those of TLS 1.3 are ids of sessions in the cache.
  const bool any = policy.tickets || policy.sessions.mode == SessionStore::Mode::shared;
  if (!policy.tickets) SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  SSL_CTX_set_num_tickets(context, any ? 1 : 0);
  SSL_CTX_set_timeout(context, static_cast<long>(policy.session_timeout.count()));
  SSL_CTX_sess_set_new_cb(context, on_new_session);
  SSL_CTX_sess_set_get_cb(context, on_find_session);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
}

// The groups that OpenSSL took, or a sentence.
std::expected<std::string, std::string> configure(SSL_CTX* context, const ServerPolicy& policy,
                                                  OSSL_LIB_CTX* library) {
  set_common_options(context);
  if (auto problem = set_versions(context, policy.versions); !problem.empty()) {
    return std::unexpected(std::move(problem));
  }
  if (auto problem = set_ciphers(context, policy.ciphers, policy.suites, policy.versions);
      !problem.empty()) {
    return std::unexpected(std::move(problem));
  }
  TRY(auto groups, set_groups(context, policy));
  if (auto problem = set_dh_parameters(context, policy.dh_parameters, library); !problem.empty()) {
    return std::unexpected("the Diffie-Hellman parameters are not accepted: " + problem);
  }
  if (policy.prefer_server_ciphers) SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
  set_sessions(context, policy);
  const KeyId scope = fingerprint(policy);
  SSL_CTX_set_session_id_context(context, scope.data(), static_cast<unsigned int>(scope.size()));
  SSL_CTX_set_client_hello_cb(context, on_client_hello, nullptr);
  SSL_CTX_set_cert_cb(context, on_certificate, nullptr);
  for (const ConfCommand& command : policy.commands) {
    if (auto problem = run_command(context, command); !problem.empty()) {
      return std::unexpected(std::move(problem));
    }
  }
  set_early_data(context, policy);  // after the commands: "AntiReplay" would turn on OpenSSL's
  return groups;
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
  SSL_set_max_early_data(ssl, SSL_CTX_get_max_early_data(context));
  SSL_set_recv_max_early_data(ssl, SSL_CTX_get_recv_max_early_data(context));
  if (from.policy.suites != to.policy.suites) {
    SSL_set_ciphersuites(ssl, to.policy.suites.empty() ? kAllSuites : to.policy.suites.c_str());
  }
  if (from.groups != to.groups) SSL_set1_groups_list(ssl, to.groups.c_str());
}

ServerContext::ServerContext(std::shared_ptr<State> state) : state_(std::move(state)) {}
ServerContext::~ServerContext() = default;

std::expected<std::unique_ptr<ServerContext>, std::string> ServerContext::make(
    Library& library, const ServerPolicy& policy, std::shared_ptr<TicketKeys> keys,
    SessionCaches* caches) {
  Library::State& worker = library.state();
  SslCtxPtr context(SSL_CTX_new_ex(worker.context.get(), nullptr, TLS_server_method()));
  if (!context) return std::unexpected(take_error_reason());
  TRY(auto groups, configure(context.get(), policy, worker.context.get()));
  auto state = std::make_shared<State>(State{.library = worker,
                                             .context = std::move(context),
                                             .policy = policy,
                                             .scope = fingerprint(policy),
                                             .alpn = alpn_wire_form(policy.alpn),
                                             .groups = std::move(groups),
                                             .ticket_keys = std::move(keys),
                                             .ticket_copy = {.keys = policy.ticket_keys}});
  if (policy.sessions.mode == SessionStore::Mode::shared) {
    const SessionStore& wanted = policy.sessions;
    state->sessions = caches != nullptr ? caches->get(wanted.name, wanted.capacity)
                                        : std::make_shared<SessionCache>(wanted.capacity);
  }
  // One ticket: it is made by us (session_ticket.h). Another number, which only a command asks for,
  // stays with OpenSSL.
  state->makes_ticket =
      policy.tickets && !policy.early_data && SSL_CTX_get_num_tickets(state->context.get()) == 1;
  if (state->makes_ticket) SSL_CTX_set_num_tickets(state->context.get(), 0);
  if (policy.early_data) {
    state->replays = caches != nullptr ? caches->replays() : std::make_shared<ReplayGuard>();
  }
  if (!state->alpn.empty()) {
    SSL_CTX_set_alpn_select_cb(state->context.get(), on_alpn, state.get());
  }
  if (policy.client_hello) keep_client_hello(state->context.get());
  if (policy.key_log != nullptr) SSL_CTX_set_keylog_callback(state->context.get(), on_secret);
  return std::unique_ptr<ServerContext>(new ServerContext(std::move(state)));
}

std::string problem_of(const ServerPolicy& policy) {
  // Thousands of servers share a policy, and an SSL_CTX costs as much as three certificates.
  thread_local std::optional<ServerPolicy> last_good;
  if (last_good == policy) return {};
  const SslCtxPtr context(SSL_CTX_new(TLS_server_method()));
  if (!context) return take_error_reason();
  if (const auto configured = configure(context.get(), policy, nullptr); !configured) {
    return configured.error();
  }
  last_good = policy;
  return {};
}

std::string problem_of_dh_parameters(const std::string& pem) {
  const SslCtxPtr context(SSL_CTX_new(TLS_server_method()));
  return context ? set_dh_parameters(context.get(), pem, nullptr) : take_error_reason();
}

unsigned bits_of_dh_parameters(const std::string& pem) {
  const BioPtr bio = bio_over(pem);
  const PkeyPtr parameters(PEM_read_bio_Parameters(bio.get(), nullptr));
  ERR_clear_error();
  return parameters ? static_cast<unsigned>(EVP_PKEY_get_bits(parameters.get())) : 0;
}

}  // namespace tls
