#include "tls/server_commands.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.h"
#include "tls/openssl.h"

namespace tls {
namespace {

// Each ticket costs an encryption and a few hundred bytes on the wire; a client shows one of them.
constexpr unsigned kMostTickets = 16;

struct Refused {
  std::string_view name;
  std::string_view reason;
};
constexpr std::array kRefused{
    Refused{"RecordPadding", "records of TLS 1.3 are not padded by this program"},
    Refused{"Certificate", "use \"ssl_certificate\""},
    Refused{"PrivateKey", "use \"ssl_certificate_key\""},
    Refused{"DHParameters", "use \"ssl_dhparam\""},
    Refused{"VerifyMode", "certificates of clients are not supported yet"},
    Refused{"ServerInfoFile", "extensions from files are not sent by this program"}};

// Values of "Options": what is written with "+" or without a sign, and with "-".
constexpr std::array kRefusedOptions{
    Refused{"Compression", "compression of TLS gives secrets away (CRIME)"},
    Refused{"ClientRenegotiation", "renegotiation is always refused"},
    Refused{"UnsafeLegacyRenegotiation", "renegotiation is always refused"},
    Refused{"-AntiReplay", "replayed early data would be taken"}};

bool is(std::string_view one, std::string_view other) {
  return base::lower(one) == base::lower(other);
}

// The values of a list as "Options" and "Protocol" take it: "-SessionTicket,PrioritizeChaCha".
struct Signed {
  std::string_view name;
  bool on;
};
std::vector<Signed> split(std::string_view list) {
  std::vector<Signed> values;
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    std::string_view one = list.substr(0, comma);
    list.remove_prefix(std::min(comma + 1, list.size()));
    while (one.starts_with(' ')) one.remove_prefix(1);
    while (one.ends_with(' ')) one.remove_suffix(1);
    const bool off = one.starts_with('-');
    if (off || one.starts_with('+')) one.remove_prefix(1);
    values.push_back({.name = one, .on = !off});
  }
  return values;
}

CommandReview review_options(std::string_view list) {
  CommandReview found;
  for (const Signed& value : split(list)) {
    for (const Refused& refused : kRefusedOptions) {
      const bool of_off = refused.name.starts_with('-');
      if (value.on == of_off || !is(value.name, refused.name.substr(of_off ? 1 : 0))) continue;
      found.problem = fmt::format("the option \"{}\" is refused: {}", refused.name, refused.reason);
    }
    if (value.on && is(value.name, "KTLS")) {
      found.warning = "KTLS has no effect: records are protected by the program itself";
    }
  }
  return found;
}

bool is_groups(std::string_view name) {
  return is(name, "Groups") || is(name, "Curves") || is(name, "ECDHParameters");
}

bool is_passed_on(std::string_view name) {
  constexpr std::array kNames{"SignatureAlgorithms",
                              "ClientSignatureAlgorithms",
                              "MinProtocol",
                              "MaxProtocol",
                              "Protocol",
                              "Options",
                              "NumTickets"};
  return std::ranges::any_of(kNames, [&](std::string_view one) { return is(name, one); });
}

// As an SSL_CTX takes it, which is where its words are known.
std::string try_out(const ConfCommand& command) {
  const SslCtxPtr context(SSL_CTX_new(TLS_server_method()));
  return context ? run_command(context.get(), command) : take_error_reason();
}

}  // namespace

std::string run_command(SSL_CTX* context, const ConfCommand& command) {
  const ConfCtxPtr runner(SSL_CONF_CTX_new());
  SSL_CONF_CTX_set_flags(runner.get(),
                         SSL_CONF_FLAG_FILE | SSL_CONF_FLAG_SERVER | SSL_CONF_FLAG_SHOW_ERRORS);
  SSL_CONF_CTX_set_ssl_ctx(runner.get(), context);
  if (SSL_CONF_cmd(runner.get(), command.name.c_str(), command.value.c_str()) > 0) return {};
  return fmt::format("SSL_CONF_cmd(\"{}\", \"{}\") failed (SSL: {})", command.name, command.value,
                     take_error_text());
}

CommandReview review(const ConfCommand& command) {
  for (const Refused& refused : kRefused) {
    if (is(command.name, refused.name)) {
      return {.problem =
                  fmt::format("the command \"{}\" is refused: {}", command.name, refused.reason)};
    }
  }
  if (is(command.name, "Options")) {
    auto found = review_options(command.value);
    if (found.problem.empty()) found.problem = try_out(command);
    return found;
  }
  if (is(command.name, "NumTickets")) {
    unsigned count = 0;
    const char* end = command.value.data() + command.value.size();
    const auto [rest, error] = std::from_chars(command.value.data(), end, count);
    if (error != std::errc() || rest != end || count > kMostTickets) {
      return {.problem = fmt::format("\"NumTickets\" is a number from 0 to {}", kMostTickets)};
    }
  }
  const bool ours = is(command.name, "CipherString") || is(command.name, "Ciphersuites") ||
                    is_groups(command.name);
  // OpenSSL itself says what is wrong with a command that it does not know.
  const std::string problem = try_out(command);
  if (!problem.empty() || ours || is_passed_on(command.name)) return {.problem = problem};
  return {.problem = fmt::format("the command \"{}\" is not supported here", command.name)};
}

void apply(const std::vector<ConfCommand>& commands, ServerPolicy& policy) {
  for (const ConfCommand& command : commands) {
    if (is(command.name, "CipherString")) {
      policy.ciphers = command.value;
    } else if (is(command.name, "Ciphersuites")) {
      policy.suites = command.value;
    } else if (is_groups(command.name)) {
      const bool automatic = is(command.value, "auto") || is(command.value, "automatic") ||
                             is(command.value, "+automatic");
      policy.groups = automatic ? std::string() : command.value;
    } else {
      if (is(command.name, "Options")) {
        for (const Signed& value : split(command.value)) {
          if (is(value.name, "SessionTicket")) policy.tickets = value.on;
        }
      }
      policy.commands.push_back(command);
    }
  }
}

}  // namespace tls
