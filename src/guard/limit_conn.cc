#include "guard/limit_conn.h"

#include <fmt/format.h>

#include "base/check.h"
#include "guard/limit_directives.h"
#include "guard/zone_key.h"

namespace guard {
namespace {

using exchange::LimitStatus;
using Entry = LimitConnPlan::Entry;

constexpr std::size_t kLongestKey = 255;

enum class Taken : std::uint8_t { yes, too_many, no_room };

Taken take_place(StateTable& table, const StateTable::Key& key, std::uint32_t most) {
  auto access = table.access(key);
  State* state = access.find();
  if (state == nullptr) state = access.add().state;  // all others are held: none gives way
  if (state == nullptr) return Taken::no_room;
  if (state->holders >= most) return Taken::too_many;
  ++state->holders;
  return Taken::yes;
}

LimitVerdict refuse(const LimitConnOptions& options, const Entry& entry, Taken taken,
                    exchange::Exchange& exchange) {
  LimitVerdict verdict;
  const std::string_view name = entry.zone->spec.name;
  verdict.line =
      taken == Taken::too_many
          ? LogLine{*options.log_level, exchange.arena.join("limiting connections",
                                                            *options.dry_run ? ", dry run," : "",
                                                            " by zone \"", name, "\"")}
          : LogLine{observe::Level::alert,
                    exchange.arena.join("could not allocate node in limit_conn zone \"", name,
                                        "\"; make it larger")};
  if (*options.dry_run) {
    exchange.limit_conn_status = LimitStatus::rejected_dry_run;
    return verdict;
  }
  exchange.limit_conn_status = LimitStatus::rejected;
  verdict.kind = LimitVerdict::Kind::refuse;
  verdict.status = *options.status;
  return verdict;
}

}  // namespace

void ConnectionSlots::give_back(StateTable& table, const StateTable::Key& key) noexcept {
  auto access = table.access(key);
  State* const state = access.find();
  CHECK(state != nullptr && state->holders > 0);
  if (--state->holders == 0) access.remove();
}

LimitVerdict limit_connections(const config::Level& level, exchange::Exchange& exchange,
                               Tables tables, ConnectionSlots& slots) {
  const auto* plan = level.find<LimitConnPlan>();
  if (plan == nullptr || plan->entries.empty()) return {};
  if (exchange.limit_conn_status != LimitStatus::none) return {};
  const auto& options = level.get<LimitConnOptions>();
  LimitVerdict verdict;
  for (const Entry& entry : plan->entries) {
    const auto text = key_of(*entry.zone, exchange, kLongestKey, verdict.line);
    if (!text) continue;
    exchange.limit_conn_status = LimitStatus::passed;
    StateTable& table = *tables[entry.number];
    const auto key = table.key_of(*text);
    const Taken taken = take_place(table, key, entry.limit.most);
    if (taken != Taken::yes) {
      slots.release();
      return refuse(options, entry, taken, exchange);
    }
    slots.add(exchange.arena, table, key);
  }
  return verdict;
}

}  // namespace guard
