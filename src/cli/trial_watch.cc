#include "cli/trial_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/json_values.h"

namespace cli {
namespace {

using Json = nlohmann::json;

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
    sample.responses += number(json, fmt::format("/counters/responses_{}", name));
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
  return {now.responses - std::min(now.responses, before_.responses),
          now.server_errors - std::min(now.server_errors, before_.server_errors),
          difference(now.request_times, before_.request_times)};
}

std::string TrialWatch::judge(const Sample& now) const {
  if (now.restarts > before_.restarts) return "the server process died";
  const Since since = this->since(now);
  const double errors = share_of(since.server_errors, since.responses);
  if (since.responses >= kMinResponses && errors > max_server_errors_) {
    return fmt::format("{:.1f} % of {} responses were 5xx (at most {:.1f} %)", errors * 100,
                       since.responses, max_server_errors_ * 100);
  }
  if (count(since.request_times) < kMinTimes || count(before_.request_times) < kMinTimes) {
    return {};
  }
  const std::uint64_t p99 = percentile(since.request_times, 0.99);
  const std::uint64_t p99_before = percentile(before_.request_times, 0.99);
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
                     milliseconds(percentile(since.request_times, 0.99)),
                     milliseconds(percentile(before_.request_times, 0.99)));
}

}  // namespace cli
