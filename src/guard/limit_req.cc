#include "guard/limit_req.h"

#include <fmt/format.h>

#include <span>
#include <string>

#include "guard/leaky_bucket.h"
#include "guard/limit_directives.h"
#include "guard/zone_key.h"

namespace guard {
namespace {

using exchange::LimitStatus;
using Entry = LimitReqPlan::Entry;
using Kind = LimitVerdict::Kind;
using Outcome = BucketLook::Outcome;

constexpr std::size_t kLongestKey = 65535;

// A rule that the request has passed; `held`: and where it is not counted yet.
struct Passed {
  const Entry* entry = nullptr;
  StateTable::Key key{};
  bool held = false;
};

BucketRule rule_of(const Entry& entry) {
  return {.rate = entry.zone->rate, .burst = entry.limit.burst};
}

std::uint64_t delay_of(const Entry& entry, std::uint64_t excess) {
  if (excess <= entry.limit.delay) return 0;
  return (excess - entry.limit.delay) * 1000 / entry.zone->rate;
}

observe::Level one_lower(observe::Level level) {
  return level == observe::Level::info
             ? level
             : static_cast<observe::Level>(static_cast<unsigned>(level) + 1);
}

class Requests {
 public:
  Requests(const config::Level& level, exchange::Exchange& exchange, Tables tables,
           base::TimePoint now)
      : plan_(level.get<LimitReqPlan>()),
        options_(level.get<LimitReqOptions>()),
        exchange_(exchange),
        tables_(tables),
        now_(
            std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count()) {
  }

  LimitVerdict decide();

 private:
  void refuse(const Entry& entry, const BucketLook& look);
  void settle();
  void delay(const Entry& entry, std::uint64_t excess, std::uint64_t milliseconds);
  [[nodiscard]] StateTable& table(const Entry& entry) const { return *tables_[entry.number]; }
  [[nodiscard]] std::string_view dry() const { return *options_.dry_run ? ", dry run" : ""; }
  void say(observe::Level level, const std::string& line) {
    verdict_.line = {level, exchange_.arena.copy(line)};
  }

  const LimitReqPlan& plan_;
  const LimitReqOptions& options_;
  exchange::Exchange& exchange_;
  const Tables tables_;
  const std::int64_t now_;
  LimitVerdict verdict_;
  std::span<Passed> passed_;  // the first passed_count_
  std::size_t passed_count_ = 0;
  std::uint64_t last_excess_ = 0;
};

LimitVerdict Requests::decide() {
  passed_ = exchange_.arena.make_array<Passed>(plan_.entries.size());
  for (const Entry& entry : plan_.entries) {
    const auto text = key_of(*entry.zone, exchange_, kLongestKey, verdict_.line);
    if (!text) continue;
    // As nginx: only the last rule counts at once, since nothing can come after it.
    const bool is_last = &entry == &plan_.entries.back();
    const auto key = table(entry).key_of(*text);
    const BucketLook look = look_at_bucket(table(entry), key, rule_of(entry), now_,
                                           is_last ? Counted::at_once : Counted::later);
    verdict_.evicted += look.evicted ? 1 : 0;
    if (look.outcome == Outcome::exceeds || look.outcome == Outcome::no_room) {
      refuse(entry, look);
      return verdict_;
    }
    passed_[passed_count_++] = {&entry, key, look.outcome == Outcome::held};
    last_excess_ = look.excess;
  }
  if (passed_count_ > 0) settle();
  return verdict_;
}

void Requests::refuse(const Entry& entry, const BucketLook& look) {
  for (const Passed& each : passed_.first(passed_count_))
    leave_bucket(table(*each.entry), each.key);
  if (look.outcome == Outcome::exceeds) {
    say(*options_.log_level,
        fmt::format("limiting requests{}, excess: {}.{:03} by zone \"{}\"", dry(),
                    look.excess / 1000, look.excess % 1000, entry.zone->spec.name));
  } else {
    say(observe::Level::alert,
        fmt::format("could not allocate node in limit_req zone \"{}\"; make it larger",
                    entry.zone->spec.name));
  }
  if (*options_.dry_run) {
    exchange_.limit_req_status = LimitStatus::rejected_dry_run;
    return;
  }
  exchange_.limit_req_status = LimitStatus::rejected;
  verdict_.kind = Kind::refuse;
  verdict_.status = *options_.status;
}

// Counts the request wherever it is not counted yet. The longest of the delays is what it waits.
void Requests::settle() {
  const Passed& last = passed_[passed_count_ - 1];
  const Entry* longest = last.entry;
  std::uint64_t excess = last.held ? 0 : last_excess_;
  std::uint64_t most = last.held ? 0 : delay_of(*longest, excess);
  // From the last to the first, so that of equal delays the later rule's is told.
  for (std::size_t i = passed_count_; i > 0; --i) {
    const Passed& each = passed_[i - 1];
    if (!each.held) continue;
    const std::uint64_t own =
        settle_bucket(table(*each.entry), each.key, rule_of(*each.entry), now_);
    const std::uint64_t wait = delay_of(*each.entry, own);
    if (wait <= most) continue;
    most = wait;
    excess = own;
    longest = each.entry;
  }
  exchange_.limit_req_status = LimitStatus::passed;
  if (most > 0) delay(*longest, excess, most);
}

void Requests::delay(const Entry& entry, std::uint64_t excess, std::uint64_t milliseconds) {
  say(one_lower(*options_.log_level),
      fmt::format("delaying request{}, excess: {}.{:03}, by zone \"{}\"", dry(), excess / 1000,
                  excess % 1000, entry.zone->spec.name));
  if (*options_.dry_run) {
    exchange_.limit_req_status = LimitStatus::delayed_dry_run;
    return;
  }
  exchange_.limit_req_status = LimitStatus::delayed;
  verdict_.kind = Kind::delay;
  verdict_.delay = std::chrono::milliseconds(milliseconds);
}

}  // namespace

LimitVerdict limit_requests(const config::Level& level, exchange::Exchange& exchange, Tables tables,
                            base::TimePoint now) {
  const auto* plan = level.find<LimitReqPlan>();
  if (plan == nullptr || plan->entries.empty()) return {};
  if (exchange.limit_req_status != LimitStatus::none) return {};
  return Requests(level, exchange, tables, now).decide();
}

}  // namespace guard
