#include "server/paths.h"

#include <gtest/gtest.h>

namespace server {
namespace {

Surroundings root_at(std::string working_directory) {
  return {.root = true,
          .home = "/data",
          .runtime_directory = "/run/user/0",
          .state_home = "/data/state",
          .working_directory = std::move(working_directory)};
}

TEST(Paths, OfRootAreTheSystems) {
  const Paths paths = resolve_paths(root_at("/tmp"), "", "");
  EXPECT_EQ(paths.prefix, "/etc/sallyport");
  EXPECT_EQ(paths.configuration, "/etc/sallyport/sallyport.conf");
  EXPECT_EQ(paths.pid_file, "/run/sallyport/sallyport.pid");
  EXPECT_EQ(paths.admin_socket, "/run/sallyport/sallyport.sock");
  EXPECT_EQ(paths.temporary_directory, "/var/lib/sallyport/temporary");
}

TEST(Paths, OfAnotherUserAreTheUsersOwn) {
  Surroundings user{.home = "/users/u", .runtime_directory = "/run/user/1000"};
  EXPECT_EQ(resolve_paths(user, "", "").pid_file, "/run/user/1000/sallyport/sallyport.pid");
  EXPECT_EQ(resolve_paths(user, "", "").state_directory, "/users/u/.local/state/sallyport");
  user.state_home = "/users/u/state";
  EXPECT_EQ(resolve_paths(user, "", "").state_directory, "/users/u/state/sallyport");
  user.runtime_directory.clear();
  EXPECT_EQ(resolve_paths(user, "", "").pid_file, "/users/u/state/sallyport/run/sallyport.pid");
}

TEST(Paths, WithAPrefixStayInIt) {
  const Paths paths = resolve_paths(root_at("/tmp"), "site//", "");
  EXPECT_EQ(paths.prefix, "/tmp/site");
  EXPECT_EQ(paths.configuration, "/tmp/site/sallyport.conf");
  EXPECT_EQ(paths.pid_file, "/tmp/site/sallyport.pid");
  EXPECT_EQ(paths.admin_socket, "/tmp/site/sallyport.sock");
}

TEST(Paths, APrefixMayBeTheWorkingDirectory) {
  EXPECT_EQ(resolve_paths(root_at("/srv/x"), ".", "").prefix, "/srv/x");
  EXPECT_EQ(resolve_paths(root_at("/srv/x"), "../y/", "").prefix, "/srv/y");
  EXPECT_EQ(resolve_paths(root_at("/"), "/", "").prefix, "/");
}

TEST(Paths, ARelativeConfigurationBeginsInThePrefix) {
  EXPECT_EQ(resolve_paths(root_at("/"), "/p", "conf/x.conf").configuration, "/p/conf/x.conf");
  EXPECT_EQ(resolve_paths(root_at("/"), "/p", "/x.conf").configuration, "/x.conf");
}

TEST(Paths, WithoutAPrefixAConfigurationInTheWorkingDirectoryIsFound) {
  EXPECT_EQ(resolve_paths(root_at("/etc"), "", "passwd").configuration, "/etc/passwd");
  EXPECT_EQ(resolve_paths(root_at("/etc"), "", "no-such").configuration, "/etc/sallyport/no-such");
  EXPECT_EQ(resolve_paths(root_at("/etc"), "/p", "passwd").configuration, "/p/passwd");
}

TEST(Paths, DirectoryOfAPath) {
  EXPECT_EQ(directory_of("/a/b"), "/a");
  EXPECT_EQ(directory_of("/a"), "/");
  EXPECT_EQ(directory_of("a"), ".");
}

}  // namespace
}  // namespace server
