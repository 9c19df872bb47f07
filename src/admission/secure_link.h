// `secure_link`: links that nobody can make without a secret, and that may end.
//
//   secure_link $arg_md5,$arg_expires;                a hash in base64url, and perhaps a time
//   secure_link_md5 "$secure_link_expires$uri secret";   what it is the MD5 of
//   secure_link_secret word;                          /p/HASH/link, HASH in hexadecimal: the old
//   way
//
// MD5 is what the programs that make such links compute. A secret at the end of what is hashed is
// out of reach of what is known against MD5; the comparison takes as long for any two hashes.
#pragma once

#include <optional>
#include <string>

#include "config/directive.h"
#include "script/value.h"
#include "script/variables.h"

namespace admission {

/// Inherited: link and md5 each for itself; the secret where neither of them is said, and nothing
/// where the secret is said.
struct SecureLinkOptions {
  config::Setting<config::Word> link;
  config::Setting<config::Word> md5;
  config::Setting<std::string> secret;
};

struct SecureLinkPlan {
  std::optional<script::Value> link;
  std::optional<script::Value> md5;
  std::string secret;  // empty: the other way
};

extern const config::Feature kSecureLinkFeature;
/// $secure_link: the old way, the link; else "1", or "0" when its time is over; nothing for a false
/// one. $secure_link_expires.
extern const script::VariableTable kSecureLinkVariables;

/// After inheritance, for each http, server and location level.
void provision_secure_link(config::Level& level, script::Variables& variables,
                           config::Diagnostics& diagnostics);

}  // namespace admission
