#include "observe/counters.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace observe {
namespace {

std::string_view rule_name(std::size_t i) { return i == 0 ? "first" : "second"; }

TEST(Counters, CountAndComeBack) {
  const CounterLayout layout;
  Counters counters(layout);
  counters.add(Counter::requests);
  counters.add(Counter::bytes_in, 500);
  counters.add(Counter::connections_active, 2);
  counters.subtract(Counter::connections_active);
  counters.set(Counter::loop_turns, 9);
  EXPECT_EQ(counters.get(Counter::requests), 1U);
  EXPECT_EQ(counters.get(Counter::bytes_in), 500U);
  EXPECT_EQ(counters.get(Counter::connections_active), 1U);
  EXPECT_EQ(counters.get(Counter::loop_turns), 9U);
}

TEST(Counters, FamiliesHaveACellForEachLabel) {
  CounterLayout layout;
  const FamilyId unused = layout.add({"unused", "none", "x", 0, nullptr});
  const FamilyId rules = layout.add({"refused_by_rule", "refusals", "rule", 2, rule_name});
  Counters counters(layout);
  counters.add(rules, 1, 3);
  counters.add(rules, 2);
  counters.add(unused, 0);
  EXPECT_EQ(counters.get(rules, 0), 0U);
  EXPECT_EQ(counters.get(rules, 1), 3U);
  EXPECT_EQ(counters.get(rules, 2), 0U);
}

TEST(Counters, AreSummedOverTheWorkers) {
  CounterLayout layout;
  const FamilyId rules = layout.add({"refused_by_rule", "refusals", "rule", 2, rule_name});
  Counters a(layout);
  Counters b(layout);
  a.add(Counter::requests, 2);
  b.add(Counter::requests, 5);
  b.add(rules, 0, 4);
  const std::array<const Counters*, 2> workers = {&a, &b};
  const std::vector<Reading> readings = read_all(layout, workers);
  ASSERT_EQ(readings.size(), kCounterCount + 2);
  const Reading& requests = readings[static_cast<std::size_t>(Counter::requests)];
  EXPECT_EQ(requests.name, "requests");
  EXPECT_EQ(requests.value, 7U);
  EXPECT_EQ(readings[kCounterCount].label_value, "first");
  EXPECT_EQ(readings[kCounterCount].value, 4U);
  EXPECT_EQ(readings.back().label_value, "second");
  EXPECT_EQ(readings.back().value, 0U);
}

TEST(Counters, HaveNamesAndHelpOfTheirOwn) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kCounterCount; ++i) {
    const auto counter = static_cast<Counter>(i);
    EXPECT_TRUE(names.insert(name_of(counter)).second) << name_of(counter);
    EXPECT_FALSE(help_of(counter).empty());
  }
  EXPECT_EQ(kind_of(Counter::connections_idle), CounterKind::gauge);
  EXPECT_EQ(kind_of(Counter::requests), CounterKind::counter);
}

TEST(Counters, SortStatusCodesIntoClasses) {
  EXPECT_EQ(response_counter(101), Counter::responses_1xx);
  EXPECT_EQ(response_counter(204), Counter::responses_2xx);
  EXPECT_EQ(response_counter(308), Counter::responses_3xx);
  EXPECT_EQ(response_counter(499), Counter::responses_4xx);
  EXPECT_EQ(response_counter(500), Counter::responses_5xx);
  EXPECT_EQ(response_counter(999), Counter::responses_5xx);
}

}  // namespace
}  // namespace observe
