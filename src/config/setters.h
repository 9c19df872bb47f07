// Setters for the common kinds of values: `.set = set_duration<&Options::read_timeout>`. Each
// stores the first argument into a Setting of the level's own options, or reports why it can't. The
// last parameter is for options that are derived from those that have the member.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "config/directive.h"
#include "config/level.h"

namespace config {

/// A word and what it means, for set_enum.
template <class T>
struct Choice {
  std::string_view word;
  T value;
};

// Each reads argument `i`; an invalid one is reported and gives nothing.
[[nodiscard]] std::optional<bool> read_flag(const Binding& binding, std::size_t i = 0);
[[nodiscard]] std::optional<std::chrono::milliseconds> read_duration(const Binding& binding,
                                                                     std::size_t i = 0);
[[nodiscard]] std::optional<std::uint64_t> read_size(const Binding& binding, std::size_t i = 0);
[[nodiscard]] std::optional<std::uint64_t> read_number(
    const Binding& binding, std::size_t i = 0, std::uint64_t min = 0,
    std::uint64_t max = std::numeric_limits<std::int64_t>::max());
/// The index of the word among `words`.
[[nodiscard]] std::optional<std::size_t> read_choice(const Binding& binding, std::size_t i,
                                                     std::span<const std::string_view> words);
template <class T>
[[nodiscard]] std::optional<T> read_choice(const Binding& binding, std::size_t i,
                                           std::span<const Choice<T>> choices) {
  std::vector<std::string_view> words;
  for (const Choice<T>& choice : choices) words.push_back(choice.word);
  const auto index = read_choice(binding, i, std::span<const std::string_view>(words));
  return index ? std::optional<T>(choices[*index].value) : std::nullopt;
}

namespace detail {
template <class Member>
struct MemberOf;
template <class Owner, class Value>
struct MemberOf<Setting<Value> Owner::*> {
  using Options = Owner;
  using Type = Value;
};
template <auto Member>
using TypeOf = typename MemberOf<decltype(Member)>::Type;
template <auto Member>
using OwnerOf = typename MemberOf<decltype(Member)>::Options;
template <auto Member, class Options = OwnerOf<Member>>
[[nodiscard]] auto& setting(const Binding& binding) {
  return binding.options<Options>().*Member;
}
}  // namespace detail

template <auto Member, class Options = detail::OwnerOf<Member>>
void set_flag(Binding& binding) {
  if (const auto value = read_flag(binding)) {
    detail::setting<Member, Options>(binding).set(*value, binding.where());
  }
}

/// Into a Setting of any std::chrono duration that is counted in integers and holds it exactly.
template <auto Member, class Options = detail::OwnerOf<Member>>
void set_duration(Binding& binding) {
  using Duration = detail::TypeOf<Member>;
  const auto value = read_duration(binding);
  if (!value) return;
  const auto kept = std::chrono::duration_cast<Duration>(*value);
  if (kept != *value) return binding.invalid(0, "fractions of a second are not kept here");
  detail::setting<Member, Options>(binding).set(kept, binding.where());
}

/// Into a Setting of an unsigned or signed integer that holds it.
template <auto Member, class Options = detail::OwnerOf<Member>>
void set_size(Binding& binding) {
  using Number = detail::TypeOf<Member>;
  const auto value = read_size(binding);
  if (!value) return;
  if (!std::in_range<Number>(*value)) return binding.invalid(0, "the size is too large");
  detail::setting<Member, Options>(binding).set(static_cast<Number>(*value), binding.where());
}

template <auto Member, std::uint64_t Min = 0,
          std::uint64_t Max =
              static_cast<std::uint64_t>(std::numeric_limits<detail::TypeOf<Member>>::max()),
          class Options = detail::OwnerOf<Member>>
void set_number(Binding& binding) {
  if (const auto value = read_number(binding, 0, Min, Max)) {
    detail::setting<Member, Options>(binding).set(static_cast<detail::TypeOf<Member>>(*value),
                                                  binding.where());
  }
}

template <auto Member, class Options = detail::OwnerOf<Member>>
void set_text(Binding& binding) {
  detail::setting<Member, Options>(binding).set(binding.argument(0), binding.where());
}

/// The word with its position, for a value that is compiled later.
template <auto Member, class Options = detail::OwnerOf<Member>>
void set_word(Binding& binding) {
  detail::setting<Member, Options>(binding).set(binding.word(0), binding.where());
}

/// All arguments, added to a Setting<std::vector<std::string>>.
template <auto Member, class Options = detail::OwnerOf<Member>>
void append_texts(Binding& binding) {
  for (const Word& word : binding.directive.arguments) {
    detail::setting<Member, Options>(binding).append(word.text, binding.where());
  }
}

/// `constexpr Choice<Mode> kModes[] = {{"off", Mode::off}, ...};` and set_enum<&Options::mode,
/// kModes>.
template <auto Member, const auto& Choices, class Options = detail::OwnerOf<Member>>
void set_enum(Binding& binding) {
  using Value = detail::TypeOf<Member>;
  if (const auto value = read_choice<Value>(binding, 0, std::span<const Choice<Value>>(Choices))) {
    detail::setting<Member, Options>(binding).set(*value, binding.where());
  }
}

}  // namespace config
