// What the variable tables share: access to the exchange, text of numbers, times and addresses, and
// joined header fields. Everything made here lives in the subject's arena.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/address.h"
#include "base/clock.h"
#include "exchange/exchange.h"
#include "http/fields.h"
#include "script/variables.h"

namespace script {

using Text = std::optional<std::string_view>;

// The tables; builtin_variables() lists them.
extern const VariableTable kGeneralVariables;
extern const VariableTable kConnectionVariables;
extern const VariableTable kTlsVariables;
extern const VariableTable kRequestVariables;
extern const VariableTable kResponseVariables;
extern const VariableTable kUpstreamVariables;
extern const VariableTable kProxyProtocolVariables;
extern const VariableTable kLimitVariables;
extern const VariableTable kBrowserVariables;

/// A Getter made of a function of the exchange: no value where there is no exchange.
template <auto Function>
[[nodiscard]] Text of_exchange(Subject& subject, const Suffix& suffix) {
  if (subject.exchange == nullptr) return std::nullopt;
  if constexpr (requires { Function(*subject.exchange, suffix); }) {
    return Function(*subject.exchange, suffix);
  } else {
    return Function(*subject.exchange);
  }
}

[[nodiscard]] std::string_view number_text(base::Arena& arena, std::uint64_t number);
/// Seconds with milliseconds, "1.042"; negative ones are "0.000".
[[nodiscard]] std::string_view seconds_text(base::Arena& arena, base::Duration duration);
/// "192.0.2.1"; "unix:" for Unix sockets; nothing for no address at all.
[[nodiscard]] Text ip_text(base::Arena& arena, const base::Address& address);
/// Empty for Unix sockets.
[[nodiscard]] Text port_text(base::Arena& arena, const base::Address& address);

inline void skip_spaces(std::string_view& text) noexcept {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
}

/// `prepare` of header families: the FieldName of "user_agent".
[[nodiscard]] std::uint32_t prepare_field(std::string_view suffix);
/// `is_secret` of header families.
[[nodiscard]] bool is_secret_header(std::string_view suffix);
[[nodiscard]] inline bool always_secret(std::string_view) { return true; }

/// The values of all fields whose name is the suffix when '-' is read as '_', joined.
[[nodiscard]] Text joined_fields(base::Arena& arena, const http::Fields& fields,
                                 const Suffix& suffix, std::string_view separator = ", ");
/// All of a known name.
[[nodiscard]] inline Text joined_fields(base::Arena& arena, const http::Fields& fields,
                                        http::FieldName name, std::string_view separator = ", ") {
  return joined_fields(arena, fields, Suffix{{}, static_cast<std::uint32_t>(name)}, separator);
}

}  // namespace script
