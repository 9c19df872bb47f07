#include "server/opening.h"

#include <gtest/gtest.h>

namespace server {
namespace {

TEST(OneLine, HasThePlaceAsFarAsItIsKnown) {
  config::Diagnostic diagnostic;
  diagnostic.message = "bind() to 0.0.0.0:80 failed";
  EXPECT_EQ(one_line(diagnostic), "bind() to 0.0.0.0:80 failed");
  diagnostic.message = "unknown directive \"x\"";
  diagnostic.file = "/etc/a.conf";
  EXPECT_EQ(one_line(diagnostic), "unknown directive \"x\" in /etc/a.conf");
  diagnostic.line = 7;
  EXPECT_EQ(one_line(diagnostic), "unknown directive \"x\" in /etc/a.conf:7");
}

TEST(Prefixes, BeginAtTheConfigurationsFolderAndAtThePrefix) {
  snapshot::LoadOptions load;
  load.file = "/etc/sallyport/a.conf";
  load.prefix = "/srv/one";
  const config::Prefixes prefixes = prefixes_of(load);
  EXPECT_EQ(prefixes.config, "/etc/sallyport");
  EXPECT_EQ(prefixes.prefix, "/srv/one");
}

}  // namespace
}  // namespace server
