// Who the server process is, and how it becomes that for good.
#pragma once

#include <sys/types.h>

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace server {

struct Identity {
  bool change = false;  // false: stay who we are
  std::string name;     // of the user, for messages
  uid_t user = 0;
  gid_t group = 0;
  std::vector<gid_t> groups;  // supplementary
};

/// Looks both up. `group` empty: the user's own. The error is nginx's sentence.
[[nodiscard]] std::expected<Identity, std::string> find_identity(const std::string& user,
                                                                 const std::string& group);

/// Groups, group, user, in this order, and no way back: saved ids too, no capability is left, and
/// no-new-privileges. Verified; an error means that the process must not go on.
[[nodiscard]] base::Result<void> assume_identity(const Identity& identity);

/// No core dump and no ptrace by the same user: memory may hold keys. (Not in sanitizer builds,
/// whose leak checker traces the process.)
void hide_memory() noexcept;

/// Takes hide_memory back: worker_rlimit_core asks for core dumps, and they hold what memory holds.
void allow_core_dumps() noexcept;

/// Lets a child end with its parent. After assume_identity: a change of user clears it.
void end_with_parent() noexcept;

/// Takes all descriptors that the hard limit allows.
void raise_descriptor_limit() noexcept;

}  // namespace server
