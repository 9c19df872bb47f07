#include "server/privileges.h"

#include <gtest/gtest.h>

namespace server {
namespace {

TEST(Identity, IsThatOfAUserAndTheUsersGroup) {
  const auto root = find_identity("root", "");
  ASSERT_TRUE(root);
  EXPECT_TRUE(root->change);
  EXPECT_EQ(root->name, "root");
  EXPECT_EQ(root->user, 0U);
  EXPECT_EQ(root->group, 0U);
  EXPECT_FALSE(root->groups.empty());
}

TEST(Identity, TakesAnotherGroupIfOneIsNamed) {
  const auto nobody = find_identity("nobody", "root");
  ASSERT_TRUE(nobody);
  EXPECT_NE(nobody->user, 0U);
  EXPECT_EQ(nobody->group, 0U);
}

TEST(Identity, OfSomebodyUnknownIsAnErrorInNginxsWords) {
  EXPECT_EQ(find_identity("no-such-user", "").error(), "getpwnam(\"no-such-user\") failed");
  EXPECT_EQ(find_identity("root", "no-such-group").error(), "getgrnam(\"no-such-group\") failed");
}

}  // namespace
}  // namespace server
