#include "server/privileges.h"

#include <fmt/format.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace server {
namespace {

base::Result<void> failed(std::string_view call) {
  return base::fail(base::error_from_errno(errno, call));
}

bool holds_capabilities() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
  if (::syscall(SYS_capget, &header, data.data()) != 0) return true;
  for (const auto& word : data) {
    if ((word.effective | word.permitted | word.inheritable) != 0) return true;
  }
  return false;
}

void drop_inheritable_capabilities() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none{};
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  ::syscall(SYS_capset, &header, none.data());
}

base::Result<void> verify(const Identity& identity) {
  std::array<uid_t, 3> users{};
  std::array<gid_t, 3> groups{};
  if (::getresuid(&users[0], &users[1], &users[2]) != 0) return failed("getresuid() failed");
  if (::getresgid(&groups[0], &groups[1], &groups[2]) != 0) return failed("getresgid() failed");
  for (const uid_t user : users) {
    if (user != identity.user) return base::fail(base::ErrorCode::internal, "a user id remained");
  }
  for (const gid_t group : groups) {
    if (group != identity.group)
      return base::fail(base::ErrorCode::internal, "a group id remained");
  }
  if (identity.user == 0) return {};  // `user root` was asked for
  if (::setuid(0) == 0) return base::fail(base::ErrorCode::internal, "root could be regained");
  if (holds_capabilities()) return base::fail(base::ErrorCode::internal, "capabilities remained");
  return {};
}

}  // namespace

std::expected<Identity, std::string> find_identity(const std::string& user,
                                                   const std::string& group) {
  errno = 0;
  const passwd* entry = ::getpwnam(user.c_str());
  if (entry == nullptr) return std::unexpected(fmt::format("getpwnam(\"{}\") failed", user));
  Identity identity{
      .change = true, .name = user, .user = entry->pw_uid, .group = entry->pw_gid, .groups = {}};
  if (!group.empty()) {
    const struct group* found = ::getgrnam(group.c_str());
    if (found == nullptr) return std::unexpected(fmt::format("getgrnam(\"{}\") failed", group));
    identity.group = found->gr_gid;
  }
  int count = 64;
  identity.groups.resize(64);
  if (::getgrouplist(user.c_str(), identity.group, identity.groups.data(), &count) < 0) {
    identity.groups.resize(static_cast<std::size_t>(count));
    if (::getgrouplist(user.c_str(), identity.group, identity.groups.data(), &count) < 0) count = 0;
  }
  identity.groups.resize(static_cast<std::size_t>(count));
  return identity;
}

base::Result<void> assume_identity(const Identity& identity) {
  if (identity.change) {
    if (::setgroups(identity.groups.size(), identity.groups.data()) != 0) {
      return failed("setgroups() failed");
    }
    if (::setgid(identity.group) != 0) return failed("setgid() failed");
    if (::setuid(identity.user) != 0) return failed("setuid() failed");
    if (identity.user != 0) drop_inheritable_capabilities();
    TRY_VOID(verify(identity));
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("prctl() failed");
  return {};
}

void hide_memory() noexcept {
#ifndef SALLYPORT_SANITIZED
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

void allow_core_dumps() noexcept { ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); }

void end_with_parent() noexcept { ::prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0); }

void raise_descriptor_limit() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace server
