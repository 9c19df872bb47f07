// nginx's variables that later parts bring, and the list of all tables.
#include "script/getters.h"

namespace script {
namespace {

constexpr UnsupportedVariable kUnsupported[] = {
    {"http3", "later-http3"},
    {"ssl_client_cert", "certificates"},
    {"ssl_client_escaped_cert", "certificates"},
    {"ssl_client_fingerprint", "certificates"},
    {"ssl_client_i_dn", "certificates"},
    {"ssl_client_i_dn_legacy", "certificates"},
    {"ssl_client_raw_cert", "certificates"},
    {"ssl_client_s_dn", "certificates"},
    {"ssl_client_s_dn_legacy", "certificates"},
    {"ssl_client_serial", "certificates"},
    {"ssl_client_sigalg", "certificates"},
    {"ssl_client_v_end", "certificates"},
    {"ssl_client_v_remain", "certificates"},
    {"ssl_client_v_start", "certificates"},
    {"ssl_client_verify", "certificates"},
    {"ssl_ech_outer_server_name", "later"},
    {"ssl_ech_status", "later"},
    {"upstream_cache_etag", "later-cache"},
    {"upstream_cache_last_modified", "later-cache"},
};

}  // namespace

std::span<const VariableTable> builtin_variables() noexcept {
  static const VariableTable tables[] = {
      kGeneralVariables,       kConnectionVariables, kTlsVariables,
      kRequestVariables,       kResponseVariables,   kUpstreamVariables,
      kProxyProtocolVariables, kLimitVariables,      kBrowserVariables};
  return tables;
}

std::span<const UnsupportedVariable> unsupported_variables() noexcept { return kUnsupported; }

}  // namespace script
