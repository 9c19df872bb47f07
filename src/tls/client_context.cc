#include "tls/client_context.h"

#include <fmt/core.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <list>

#include "base/address.h"
#include "tls/connection.h"

namespace tls {

struct ClientContext::State {
  Library::State& library;
  SslCtxPtr context;
  ClientPolicy policy;

  struct Remembered {
    std::string key;
    SessionPtr session;
  };
  std::list<Remembered> by_age{};  // the newest first
  std::unordered_map<std::string_view, std::list<Remembered>::iterator> by_key{};

  void remember(const std::string& key, SessionPtr session) {
    if (const auto found = by_key.find(key); found != by_key.end()) {
      found->second->session = std::move(session);
      by_age.splice(by_age.begin(), by_age, found->second);
      return;
    }
    by_age.push_front({key, std::move(session)});
    by_key.emplace(by_age.front().key, by_age.begin());
    if (by_age.size() > kMaxSessions) {
      by_key.erase(by_age.back().key);
      by_age.pop_back();
    }
  }
  [[nodiscard]] SSL_SESSION* session_for(const std::string& key) const {
    const auto found = by_key.find(key);
    return found == by_key.end() ? nullptr : found->second->session.get();
  }
};

namespace {

std::uint64_t next_id() noexcept {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

bool equal(const CertificatePtr& a, const CertificatePtr& b) {
  if (a == nullptr || b == nullptr) return a == b;
  return a->facts().fingerprint == b->facts().fingerprint;
}

// Both none, or both with the same bytes.
template <class T>
bool equal(const std::shared_ptr<const T>& a, const std::shared_ptr<const T>& b,
           const std::vector<Certificate::Der>& (T::*bytes)() const noexcept) {
  if (a == b) return true;
  return a != nullptr && b != nullptr && ((*a).*bytes)() == ((*b).*bytes)();
}

// Whoever resumes a session is not verified again (RFC 8446 §2.2), so what time alone can undo is
// looked at here. What else verification depends on is the policy's, as sessions are.
bool still_verified(const ClientPolicy& policy, SSL_SESSION* session, base::WallTime now) {
  if (!policy.verify) return true;
  if (policy.revocations && !policy.revocations->expired(now).empty()) return false;
  const X509* leaf = SSL_SESSION_get0_peer(session);
  std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  return leaf != nullptr && X509_cmp_time(X509_get0_notAfter(leaf), &seconds) > 0;
}

int on_new_session(SSL* ssl, SSL_SESSION* session) {
  const TlsStream::Connection& connection = *connection_of(ssl);
  if (connection.client->session_key.empty() || SSL_SESSION_is_resumable(session) == 0) return 0;
  connection.client_state->remember(connection.client->session_key, SessionPtr(session));
  return 1;  // the reference is ours now
}

// A server asks for a certificate where there is none.
int on_certificate_request(SSL* ssl, X509** /*certificate*/, EVP_PKEY** /*key*/) {
  connection_of(ssl)->facts.certificate_missed = true;
  return 0;  // go on without
}

std::string configure(SSL_CTX* context, const ClientPolicy& policy) {
  set_common_options(context);
  if (auto problem = set_versions(context, policy.versions); !problem.empty()) return problem;
  if (auto problem = set_ciphers(context, policy.ciphers, policy.suites, policy.versions);
      !problem.empty()) {
    return problem;
  }
  if (policy.verify && !policy.trusted) {
    return "certificates are to be verified, but none is trusted";
  }
  if (const auto alpn = alpn_wire_form(policy.alpn); !alpn.empty()) {
    SSL_CTX_set_alpn_protos(context, alpn.data(), static_cast<unsigned int>(alpn.size()));
  }
  const bool reuse = policy.session_reuse;
  SSL_CTX_set_session_cache_mode(
      context, reuse ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL : SSL_SESS_CACHE_OFF);
  if (reuse) SSL_CTX_sess_set_new_cb(context, on_new_session);
  SSL_CTX_set_client_cert_cb(context, on_certificate_request);
  set_verification(context, policy);
  return apply_commands(context, policy.commands);
}

// A certificate that was named as trusted is the end of the chain, self-signed or not: pinning a
// backend's own certificate or its intermediate works.
void trust(SSL_CTX* context, X509_STORE* store) {
  SSL_CTX_set1_cert_store(context, store);
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
}

bool is_ip(const std::string& name) { return base::Address::from_ip(name, 0).has_value(); }

}  // namespace

const ClientPolicy& policy_of(const TlsStream::Connection& connection) noexcept {
  return connection.client_state->policy;
}

bool prepare_client(TlsStream::Connection& connection) {
  SSL* ssl = connection.ssl.get();
  const ClientTarget& target = connection.client->target;
  const ClientContext::State& state = *connection.client_state;
  // The key of our own certificate may be far away.
  if (state.policy.certificate && state.library.signer.may_pause()) {
    SSL_set_mode(ssl, SSL_MODE_ASYNC);
  }
  if (!target.sni.empty() && !is_ip(target.sni)) {  // RFC 6066 §3: no addresses
    if (SSL_set_tlsext_host_name(ssl, target.sni.c_str()) != 1) return false;
    connection.sni = target.sni;
  }
  if (state.policy.verify) {
    if (target.verify_name.empty()) return false;
    X509_VERIFY_PARAM* param = SSL_get0_param(ssl);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    const int set = is_ip(target.verify_name)
                        ? X509_VERIFY_PARAM_set1_ip_asc(param, target.verify_name.c_str())
                        : X509_VERIFY_PARAM_set1_host(param, target.verify_name.data(),
                                                      target.verify_name.size());
    if (set != 1) return false;
  }
  if (state.policy.session_reuse && !target.session_key.empty()) {
    connection.client->session_key =
        fmt::format("{}\n{}\n{}", target.session_key, target.sni, target.verify_name);
    SSL_SESSION* session = state.session_for(connection.client->session_key);
    if (session != nullptr &&
        still_verified(state.policy, session, connection.loop.clock().wall())) {
      SSL_set_session(ssl, session);
    }
  }
  return true;
}

// OpenSSL tells of new sessions, but not when a resumed one of TLS 1.2 was given a new ticket.
void keep_renewed_session(TlsStream::Connection& connection) {
  SSL* ssl = connection.ssl.get();
  if (connection.client->session_key.empty() || SSL_session_reused(ssl) == 0) return;
  SessionPtr session(SSL_get1_session(ssl));
  if (SSL_SESSION_is_resumable(session.get()) == 0) return;
  connection.client_state->remember(connection.client->session_key, std::move(session));
}

ClientContext::ClientContext(std::shared_ptr<State> state)
    : state_(std::move(state)), id_(next_id()) {}
ClientContext::~ClientContext() = default;

const ClientPolicy& ClientContext::policy() const noexcept { return state_->policy; }

bool ClientPolicy::operator==(const ClientPolicy& other) const {
  return verify == other.verify && verify_depth == other.verify_depth && pins == other.pins &&
         versions == other.versions && ciphers == other.ciphers && suites == other.suites &&
         commands == other.commands && alpn == other.alpn && session_reuse == other.session_reuse &&
         equal(trusted, other.trusted, &TrustedCertificates::certificates) &&
         equal(revocations, other.revocations, &RevocationLists::lists) &&
         equal(certificate, other.certificate);
}

std::expected<std::unique_ptr<ClientContext>, std::string> ClientContext::make(
    Library& library, const ClientPolicy& policy) {
  Library::State& worker = library.state();
  SslCtxPtr context(SSL_CTX_new_ex(worker.context.get(), nullptr, TLS_client_method()));
  if (!context) return std::unexpected(take_error_reason());
  if (auto problem = configure(context.get(), policy); !problem.empty()) {
    return std::unexpected(std::move(problem));
  }
  if (policy.verify) {
    trust(context.get(), worker.store_of(policy.trusted, policy.revocations));
  }
  if (policy.certificate) {
    const auto parsed = worker.parsed(policy.certificate);
    if (!parsed || SSL_CTX_use_certificate(context.get(), parsed->leaf.get()) != 1 ||
        SSL_CTX_set1_chain(context.get(), parsed->chain.get()) != 1 ||
        SSL_CTX_use_PrivateKey(context.get(), parsed->key.get()) != 1) {
      return std::unexpected(
          fmt::format("the client certificate cannot be used ({})", take_error_reason()));
    }
  }
  return std::unique_ptr<ClientContext>(new ClientContext(std::make_shared<State>(
      State{.library = worker, .context = std::move(context), .policy = policy})));
}

std::string problem_of(const ClientPolicy& policy) {
  const SslCtxPtr context(SSL_CTX_new(TLS_client_method()));
  return context ? configure(context.get(), policy) : take_error_reason();
}

std::unique_ptr<TlsStream> TlsStream::client(std::unique_ptr<io::Stream> lower,
                                             ClientContext& context, ClientTarget target) {
  ClientContext::State& state = *context.state();
  auto connection =
      std::make_unique<Connection>(Connection::Role::client, std::move(lower), state.library);
  connection->client_state = context.state();
  connection->client = std::make_unique<TlsStream::Connection::Client>();
  connection->client->target = std::move(target);
  connection->make_ssl(state.context.get());
  SSL_set_connect_state(connection->ssl.get());
  if (!prepare_client(*connection)) {
    ERR_clear_error();
    connection->broken =
        base::Error{.code = base::ErrorCode::untrusted,
                    .context = "no usable name to verify the backend's certificate against"};
  }
  return std::unique_ptr<TlsStream>(new TlsStream(std::move(connection)));
}

}  // namespace tls
