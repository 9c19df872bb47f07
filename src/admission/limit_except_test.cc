#include "admission/limit_except.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "config/testing/loaded.h"

namespace admission {
namespace {

using http::Method;
using ::testing::ElementsAre;

class LimitedMethods : public ::testing::Test, protected config::testing::Loaded {
 protected:
  LimitedMethods() : Loaded(kLimitExceptFeature) {}
  void load(const std::string& in_location) {
    interpret("http { server { location / { " + in_location + " } } }");
  }
  const config::Level& location() { return *server().children()[0]; }
  bool is_limited(Method method) { return &level_for(location(), method) != &location(); }
};

TEST_F(LimitedMethods, AreAllButThoseThatAreNamed) {
  load("limit_except POST Propfind { }");
  EXPECT_FALSE(is_limited(Method::post));
  EXPECT_FALSE(is_limited(Method::propfind));
  for (const Method method : {Method::get, Method::head, Method::put, Method::other}) {
    EXPECT_TRUE(is_limited(method)) << http::text_of(method);
  }
}

TEST_F(LimitedMethods, LeaveOutHeadWithGet) {
  load("limit_except GET { }");
  EXPECT_FALSE(is_limited(Method::get));
  EXPECT_FALSE(is_limited(Method::head));
  EXPECT_TRUE(is_limited(Method::post));
}

TEST_F(LimitedMethods, IncludeGetWithHeadAlone) {
  load("limit_except HEAD { }");
  EXPECT_TRUE(is_limited(Method::get));
  EXPECT_FALSE(is_limited(Method::head));
}

TEST_F(LimitedMethods, AreNoneWithoutABlock) {
  load("");
  EXPECT_FALSE(is_limited(Method::post));
}

TEST_F(LimitedMethods, HaveNginxsNames) {
  load("limit_except GETT TRACE GET { } limit_except POST { }");
  EXPECT_THAT(messages(), ElementsAre("invalid method \"GETT\"", "invalid method \"TRACE\"",
                                      "\"limit_except\" directive is duplicate"));
}

}  // namespace
}  // namespace admission
