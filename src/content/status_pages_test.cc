#include "content/status_pages.h"

#include <gtest/gtest.h>

#include <map>

namespace content {
namespace {

using observe::Counter;
using Page = StatusPageOptions::Page;

class FixedTotals final : public observe::Totals {
 public:
  explicit FixedTotals(std::map<Counter, std::uint64_t> values) : values_(std::move(values)) {}
  std::uint64_t sum(Counter counter) const noexcept override {
    const auto found = values_.find(counter);
    return found == values_.end() ? 0 : found->second;
  }

 private:
  std::map<Counter, std::uint64_t> values_;
};

TEST(StubStatus, IsNginxsToTheByte) {
  base::Arena arena;
  const FixedTotals totals({{Counter::connections_active, 10},
                            {Counter::connections_idle, 4},
                            {Counter::connections_accepted, 100},
                            {Counter::requests, 250},
                            {Counter::requests_active, 5}});
  const StatusPage page = stub_status_page(totals, arena);
  EXPECT_EQ(page.status, 200U);
  EXPECT_EQ(page.type, "text/plain");
  EXPECT_EQ(page.text,
            "Active connections: 10 \n"
            "server accepts handled requests\n"
            " 100 100 250 \n"
            "Reading: 1 Writing: 5 Waiting: 4 \n");
}

TEST(StubStatus, NeverCountsBelowZeroWhileWorkersCount) {
  base::Arena arena;
  const FixedTotals totals({{Counter::connections_active, 1},
                            {Counter::connections_idle, 2},
                            {Counter::requests_active, 3}});
  EXPECT_TRUE(
      stub_status_page(totals, arena).text.ends_with("Reading: 0 Writing: 0 Waiting: 1 \n"));
}

TEST(HealthPage, IsReadyWhileItListensAndDoesNotDrain) {
  observe::Readiness readiness;
  const auto status = [&](Page page) { return health_page({.page = page}, readiness).status; };
  EXPECT_EQ(status(Page::ready), 503U);
  EXPECT_EQ(status(Page::live), 200U);
  readiness.listening = true;
  EXPECT_EQ(status(Page::ready), 200U);
  readiness.draining = true;
  EXPECT_EQ(status(Page::ready), 503U);
  EXPECT_EQ(status(Page::live), 200U);
}

TEST(HealthPage, SaysWhyInTextAndJson) {
  observe::Readiness readiness;
  EXPECT_EQ(health_page({.page = Page::ready}, readiness).text, "unavailable: not listening\n");
  readiness.draining = true;
  const StatusPage page = health_page({.page = Page::ready, .json = true}, readiness);
  EXPECT_EQ(page.text, "{\"status\":\"unavailable\",\"reasons\":[\"draining\"]}\n");
  EXPECT_EQ(page.type, "application/json");
}

}  // namespace
}  // namespace content
