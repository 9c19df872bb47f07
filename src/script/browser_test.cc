#include "script/browser.h"

#include <gtest/gtest.h>

namespace script {
namespace {

using enum BrowserAge;

BrowserOptions versions(std::initializer_list<BrowserOptions::Version> browsers) {
  BrowserOptions options;
  options.modern.value.browsers = browsers;
  return options;
}

TEST(BrowserVersion, IsFourNumbers) {
  EXPECT_EQ(parse_browser_version("1"), 1'000'000U);
  EXPECT_EQ(parse_browser_version("5.5"), 5'050'000U);
  EXPECT_EQ(parse_browser_version("1.8.0.5"), 1'080'005U);
  EXPECT_EQ(parse_browser_version(""), 0U);
  EXPECT_EQ(parse_browser_version("5.x"), std::nullopt);
}

TEST(BrowserNames, AreFive) {
  EXPECT_EQ(find_browser("MSIE"), Browser::msie);
  EXPECT_EQ(find_browser("konqueror"), Browser::konqueror);
  EXPECT_EQ(find_browser("lynx"), std::nullopt);
}

TEST(BrowserAges, GoByVersions) {
  const BrowserOptions options =
      versions({{Browser::gecko, 1'070'000}, {Browser::msie, 6'000'000}});
  EXPECT_EQ(browser_age(options, "Mozilla/5.0 (X11; rv:1.7) Gecko"), modern);
  EXPECT_EQ(browser_age(options, "Mozilla/5.0 (X11; rv:1.6.9) Gecko"), ancient);
  EXPECT_EQ(browser_age(options, "Mozilla/5.0 (X11; rv:1.8.0.5"), modern);
  EXPECT_EQ(browser_age(options, "Mozilla/4.0 (compatible; MSIE 6.0; X11)"), modern);
  EXPECT_EQ(browser_age(options, "Mozilla/4.0 (compatible; MSIE 6.0; X11) Opera 7.5"), ancient)
      << "it only calls itself so";
  for (const std::string_view agent : {"", "x", "Mozilla/5.0 (", "Mozilla/5.0 (rv:", "rv:9"}) {
    EXPECT_EQ(browser_age(options, agent), ancient) << agent;
  }
}

TEST(BrowserAges, GoByWords) {
  BrowserOptions options;
  options.modern.value.unlisted = true;
  options.ancient.value = {.words = {"Lynx"}, .netscape4 = true};
  EXPECT_EQ(browser_age(options, "a Lynx/2.8"), ancient);
  EXPECT_EQ(browser_age(options, "Mozilla/4.72 [en] (X11)"), ancient);
  EXPECT_EQ(browser_age(options, "Mozilla/5.0 [en] (X11)"), modern);
  EXPECT_EQ(browser_age(options, "anything"), modern);
  EXPECT_EQ(browser_age(options, std::nullopt), modern);
  EXPECT_EQ(browser_age({}, std::nullopt), ancient);
}

TEST(BrowserAges, SurviveAnyNumbers) {
  const BrowserOptions options = versions({{Browser::gecko, 1}});
  const std::string text = "Mozilla/5.0 (rv:" + std::string(10'000, '9') + std::string(10'000, '.');
  EXPECT_NO_FATAL_FAILURE(static_cast<void>(browser_age(options, text)));
}

TEST(InternetExplorer, IsNotOpera) {
  EXPECT_TRUE(is_msie("Mozilla/4.0 (compatible; MSIE 6.0; Windows)"));
  EXPECT_FALSE(is_msie("Mozilla/4.0 (compatible; MSIE 6.0; Windows) Opera 7"));
  EXPECT_FALSE(is_msie("MSIE 7"));
  EXPECT_FALSE(is_msie("Mozilla/5.0"));
}

}  // namespace
}  // namespace script
