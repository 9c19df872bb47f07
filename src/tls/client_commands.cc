#include "tls/client_commands.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "tls/openssl.h"

namespace tls {
namespace {

using ConfContextPtr = std::unique_ptr<SSL_CONF_CTX, Free<SSL_CONF_CTX_free>>;

// Commands that read files or decide whom to trust.
struct Owned {
  std::string_view command;
  std::string_view directive;
};
constexpr std::array kOwned{Owned{"Certificate", "proxy_ssl_certificate"},
                            Owned{"PrivateKey", "proxy_ssl_certificate_key"},
                            Owned{"ChainCAFile", "proxy_ssl_certificate"},
                            Owned{"ChainCAPath", "proxy_ssl_certificate"},
                            Owned{"ChainCAStore", "proxy_ssl_certificate"},
                            Owned{"VerifyCAFile", "proxy_ssl_trusted_certificate"},
                            Owned{"VerifyCAPath", "proxy_ssl_trusted_certificate"},
                            Owned{"VerifyCAStore", "proxy_ssl_trusted_certificate"},
                            Owned{"VerifyMode", "proxy_ssl_verify"}};

std::string failed(const ConfCommand& command, std::string_view why) {
  return fmt::format("SSL_CONF_cmd(\"{}\", \"{}\") failed ({})", command.name, command.value, why);
}

// RFC 5246 §A.5's anonymous and NULL suites, which no list of ciphers here may bring back.
std::string unsafe_cipher(SSL_CTX* context) {
  const STACK_OF(SSL_CIPHER)* ciphers = SSL_CTX_get_ciphers(context);
  for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); ++i) {
    const SSL_CIPHER* cipher = sk_SSL_CIPHER_value(ciphers, i);
    const bool anonymous = SSL_CIPHER_get_auth_nid(cipher) == NID_auth_null;
    if (!anonymous && SSL_CIPHER_get_cipher_nid(cipher) != NID_undef) continue;
    return fmt::format(
        "it enables {}, {}", SSL_CIPHER_get_name(cipher),
        anonymous ? "with which a backend shows no certificate" : "which does not encrypt");
  }
  return {};
}

std::string apply(SSL_CTX* context, SSL_CONF_CTX* conf, const ConfCommand& command) {
  const auto owned = std::ranges::find_if(kOwned, [&](const Owned& one) {
    return base::equal_ignoring_case(one.command, command.name);
  });
  if (owned != kOwned.end()) {
    return failed(command, fmt::format("it is the business of {}", owned->directive));
  }
  const int result = SSL_CONF_cmd(conf, command.name.c_str(), command.value.c_str());
  if (result == -2) {
    ERR_clear_error();
    return failed(command, "OpenSSL has no such command for clients");
  }
  if (result <= 0) {
    const std::string reason = take_error_text();
    return failed(command, reason.empty() ? "the value is not accepted" : "SSL: " + reason);
  }
  ERR_clear_error();
  if (std::string problem = unsafe_cipher(context); !problem.empty()) {
    return failed(command, problem);
  }
  return {};
}

}  // namespace

std::string apply_commands(SSL_CTX* context, std::span<const ConfCommand> commands) {
  if (commands.empty()) return {};
  const ConfContextPtr conf(SSL_CONF_CTX_new());
  SSL_CONF_CTX_set_flags(conf.get(),
                         SSL_CONF_FLAG_FILE | SSL_CONF_FLAG_CLIENT | SSL_CONF_FLAG_SHOW_ERRORS);
  SSL_CONF_CTX_set_ssl_ctx(conf.get(), context);
  for (const ConfCommand& command : commands) {
    if (std::string problem = apply(context, conf.get(), command); !problem.empty()) return problem;
  }
  if (SSL_CONF_CTX_finish(conf.get()) != 1) return take_error_reason();
  set_common_options(context);
  return {};
}

std::string problem_of(const ConfCommand& command) {
  const SslCtxPtr context(SSL_CTX_new(TLS_client_method()));
  return context ? apply_commands(context.get(), std::span(&command, 1)) : take_error_reason();
}

}  // namespace tls
