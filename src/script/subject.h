// Subject: what an expression is evaluated over. HTTP exchanges are one kind; connections of L4 and
// the fakes of tests are Subjects without an exchange. A Subject is a handful of references, made
// where it is needed; it owns nothing.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "base/arena.h"
#include "base/clock.h"
#include "base/regex.h"
#include "exchange/exchange.h"

namespace script {

/// Values of named captures, by the slots that Variables gave out. Nothing: no match has set it.
using Slots = std::span<std::optional<std::string_view>>;

struct Subject {
  /// Over an HTTP exchange. Times are those of exchange.now and now_wall.
  explicit Subject(exchange::Exchange& of) noexcept
      : arena(of.arena),
        captures(of.captures),
        slots(of.named_captures),
        exchange(&of),
        now(of.now),
        wall(of.now_wall) {}
  /// Over anything else.
  Subject(base::Arena& memory, base::Captures& groups, Slots named, base::TimePoint at,
          base::WallTime wall_at) noexcept
      : arena(memory), captures(groups), slots(named), now(at), wall(wall_at) {}

  base::Arena& arena;  // what is made lives here
  base::Captures& captures;  // $1 ... $9: of the last regular expression that matched
  Slots slots;
  exchange::Exchange* exchange = nullptr;  // null: not HTTP, and HTTP's variables have no value
  base::TimePoint now;
  base::WallTime wall;
  /// A value could not be computed and came out empty. The exchange must end with an error.
  bool failed = false;
  unsigned depth = 0;  // how many variables are being computed for one another
  bool cycled = false;  // they went too deep, and the outermost one is not done yet

  /// Notes it, here and in the exchange: the gravest failure is what is told. `what` lives as long
  /// as the arena.
  void fail(exchange::EvaluationFailure::Kind kind, std::string_view what) noexcept;
};

}  // namespace script
