// nginx's auth_basic module: a name and a password for a realm.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>

#include "admission/password_desk.h"
#include "async/task.h"
#include "base/fd.h"
#include "config/directive.h"
#include "exchange/exchange.h"
#include "observe/error_log.h"
#include "script/value.h"

namespace admission {

struct UserFileSetting {
  config::Word name;
  std::string directory;  // relative names begin here; ends with "/"
  std::shared_ptr<const base::Fd> held;  // null: its name has variables, or it was not there
};

struct AuthBasicOptions {
  config::Setting<config::Word> realm;
  config::Setting<UserFileSetting> user_file;
  auto settings(this auto& self) { return std::tie(self.realm, self.user_file); }
};

/// Where both directives are given.
struct AuthBasicPlan {
  bool asks = false;
  script::Value realm;
  script::Value user_file;
  std::string directory;
  std::shared_ptr<const base::Fd> held;
};

extern const config::Feature kAuthBasicFeature;

/// After inheritance, for each http, server, location and limit_except level from the top.
void provision_auth_basic(config::Level& level, script::Variables& variables,
                          config::Diagnostics& diagnostics);

/// Whether a request at that level may have to show a password.
[[nodiscard]] bool asks_password(const config::Level& level) noexcept;

struct AuthVerdict {
  enum class Kind : std::uint8_t {
    not_asked,     // "auth_basic off", perhaps by a variable
    passed,
    unauthorised,  // 401 with `challenge`
    forbidden,     // 403: the file is not there
    failed,        // 500: it can't be read
    busy,          // 503: too many passwords wait to be hashed
    cancelled,
  };
  Kind kind = Kind::not_asked;
  bool wrong = false;  // a name and a password were given
  std::string_view challenge{};  // WWW-Authenticate; in the arena
  observe::Level level = observe::Level::error;
  std::string_view line{};  // for the error log, in nginx's words; in the arena
};

/// Compares the request's Authorization with the level's user file. A user who is not in it costs
/// what a wrong password costs, as far as the file's lines are of one kind.
[[nodiscard]] async::Task<AuthVerdict> authenticate(const config::Level& level,
                                                    exchange::Exchange& exchange,
                                                    PasswordDesk& desk);

}  // namespace admission
