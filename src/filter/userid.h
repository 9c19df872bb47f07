// `userid`: a cookie by which a browser is known again, as nginx's module (and Apache's mod_uid).
//
//   uid=fwAAAWVe3XsAAAjaAwMDAg==     16 bytes in base64: who gave it, when, by which process, which
//
// $uid_set is computed once for an exchange and is what the cookie is made of, so that logs show
// what the client got. Numbers are unique over the threads of a process; the third number, drawn
// when the process begins, tells processes apart.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "config/directive.h"
#include "exchange/exchange.h"
#include "script/value.h"

namespace filter {

struct UserIdOptions {
  enum class Mode : std::uint8_t { off, log, v1, on };
  enum class SameSite : std::uint8_t { unset, strict, lax, none };
  enum class Expires : std::uint8_t { off, max, after };
  struct Flags {
    bool secure = false;
    bool http_only = false;
    SameSite same_site = SameSite::unset;
  };
  struct Lifetime {
    Expires kind = Expires::off;
    std::chrono::seconds time{0};  // of Expires::after
  };
  config::Setting<Mode> mode{Mode::off};
  config::Setting<Flags> flags;
  config::Setting<Lifetime> expires;
  config::Setting<std::string> name{std::string("uid")};
  config::Setting<std::string> domain;  // empty: none
  config::Setting<std::string> path{std::string("/")};
  config::Setting<std::string> p3p;  // likewise
  config::Setting<char> mark{'\0'};  // '\0': none
  config::Setting<std::uint32_t> service{0};

  auto settings(this auto& self) {
    return std::tie(self.mode, self.flags, self.expires, self.name, self.domain, self.path,
                    self.p3p, self.mark, self.service);
  }
};

struct UserIdPlan {
  script::Value set;  // $uid_set
  script::Value reset;  // $uid_reset
};

extern const config::Feature kUserIdFeature;
/// $uid_got.
extern const script::VariableTable kUserIdVariables;

/// Defines $uid_set and $uid_reset. Before variables.finish().
void define_user_id(script::Variables& variables, config::Diagnostics& diagnostics);
/// After inheritance, for each http, server and location level.
void provision_user_id(config::Level& level, script::Variables& variables,
                       config::Diagnostics& diagnostics);

/// What the error log is told of a client's cookie, at `error`, or (reset) of one that $uid_reset
/// has put out of use, at `notice`.
struct UserIdNote {
  std::string_view text{};  // empty: nothing
  bool reset = false;
};
/// Adds the cookie to exchange.response, where the level says so and the client needs one. False:
/// the fields' limit was reached.
[[nodiscard]] bool apply_user_id(const config::Level& level, exchange::Exchange& exchange,
                                 UserIdNote& note);

}  // namespace filter
