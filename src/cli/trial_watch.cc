#include "cli/trial_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace cli {
namespace {

using Json = nlohmann::json;
using Times = std::map<std::uint64_t, std::uint64_t>;

std::uint64_t number(const Json& json, const char* pointer) {
  const Json::json_pointer at(pointer);
  return json.contains(at) && json[at].is_number() ? json[at].get<std::uint64_t>() : 0;
}

std::uint64_t count_of(const Times& times) {
  std::uint64_t all = 0;
  for (const auto& [value, count] : times) all += count;
  return all;
}

std::uint64_t p99_of(const Times& times) {
  const auto wanted =
      static_cast<std::uint64_t>(std::ceil(0.99 * static_cast<double>(count_of(times))));
  std::uint64_t seen = 0;
  for (const auto& [value, count] : times) {
    seen += count;
    if (seen >= wanted) return value;
  }
  return 0;
}

double share_of(std::uint64_t part, std::uint64_t all) {
  return all == 0 ? 0 : static_cast<double>(part) / static_cast<double>(all);
}

double milliseconds(std::uint64_t microseconds) { return static_cast<double>(microseconds) / 1000; }

}  // namespace

Sample read_sample(std::string_view status) {
  Sample sample;
  const Json json = Json::parse(status, nullptr, false);
  if (!json.is_object()) return sample;
  sample.server = number(json, "/pid/server");
  sample.restarts = number(json, "/server_restarts");
  for (const char* name : {"1xx", "2xx", "3xx", "4xx", "5xx"}) {
    sample.responses += number(json, fmt::format("/counters/responses_{}", name).c_str());
  }
  sample.server_errors = number(json, "/counters/responses_5xx");
  const Json::json_pointer buckets("/request_times_us/buckets");
  if (!json.contains(buckets) || !json[buckets].is_array()) return sample;
  for (const Json& pair : json[buckets]) {
    if (pair.is_array() && pair.size() == 2)
      sample.request_times[number(pair, "/0")] += number(pair, "/1");
  }
  return sample;
}

// A server process that took over counts from 0.
TrialWatch::Since TrialWatch::since(const Sample& now) const {
  if (now.server != before_.server) return {now.responses, now.server_errors, now.request_times};
  Since since{now.responses - std::min(now.responses, before_.responses),
              now.server_errors - std::min(now.server_errors, before_.server_errors),
              now.request_times};
  for (const auto& [value, count] : before_.request_times) {
    const auto found = since.request_times.find(value);
    if (found != since.request_times.end()) found->second -= std::min(found->second, count);
  }
  std::erase_if(since.request_times, [](const auto& each) { return each.second == 0; });
  return since;
}

std::string TrialWatch::judge(const Sample& now) const {
  if (now.restarts > before_.restarts) return "the server process died";
  const Since since = this->since(now);
  const double errors = share_of(since.server_errors, since.responses);
  if (since.responses >= kMinResponses && errors > max_server_errors_) {
    return fmt::format("{:.1f} % of {} responses were 5xx (at most {:.1f} %)", errors * 100,
                       since.responses, max_server_errors_ * 100);
  }
  if (count_of(since.request_times) < kMinTimes || count_of(before_.request_times) < kMinTimes) {
    return {};
  }
  const std::uint64_t p99 = p99_of(since.request_times);
  const std::uint64_t p99_before = p99_of(before_.request_times);
  if (static_cast<double>(p99) <= max_p99_factor_ * static_cast<double>(p99_before)) return {};
  return fmt::format(
      "the 99th percentile of request times is {:.1f} ms (before: {:.1f} ms, at most "
      "{:g} times that)",
      milliseconds(p99), milliseconds(p99_before), max_p99_factor_);
}

std::string TrialWatch::describe(const Sample& now) const {
  const Since since = this->since(now);
  return fmt::format("{} responses, {:.1f} % 5xx, p99 {:.1f} ms (before: {:.1f} ms)",
                     since.responses, share_of(since.server_errors, since.responses) * 100,
                     milliseconds(p99_of(since.request_times)),
                     milliseconds(p99_of(before_.request_times)));
}

}  // namespace cli
