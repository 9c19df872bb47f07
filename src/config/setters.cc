#include "config/setters.h"

#include <fmt/format.h>

#include "base/text.h"
#include "config/values.h"

namespace config {

std::optional<bool> read_flag(const Binding& binding, std::size_t i) {
  const auto value = parse_flag(binding.argument(i));
  if (!value) {
    binding.error_at(
        i, fmt::format("invalid value \"{}\" in \"{}\" directive, it must be \"on\" or \"off\"",
                       binding.argument(i), binding.name()));
  }
  return value;
}

std::optional<std::chrono::milliseconds> read_duration(const Binding& binding, std::size_t i) {
  const auto value = parse_duration(binding.argument(i));
  if (!value) binding.invalid(i, "a time is written as 500ms, 30s, 5m, \"1h 30m\", 1d");
  return value;
}

std::optional<std::uint64_t> read_size(const Binding& binding, std::size_t i) {
  const auto value = parse_size(binding.argument(i));
  if (!value) binding.invalid(i, "a size is written as 512, 8k, 16m, 1g");
  return value;
}

std::optional<std::uint64_t> read_number(const Binding& binding, std::size_t i, std::uint64_t min,
                                         std::uint64_t max) {
  const auto value = base::parse_number<std::uint64_t>(binding.argument(i));
  if (value && *value >= min && *value <= max) return value;
  if (min == 0) {
    binding.invalid(i, fmt::format("it must be a number up to {}", max));
  } else {
    binding.invalid(i, fmt::format("it must be a number from {} to {}", min, max));
  }
  return std::nullopt;
}

std::optional<std::size_t> read_choice(const Binding& binding, std::size_t i,
                                       std::span<const std::string_view> words) {
  const std::string& given = binding.argument(i);
  for (std::size_t index = 0; index < words.size(); ++index) {
    if (words[index] == given) return index;
  }
  if (const auto meant = base::nearest(given, words)) {
    binding.invalid(i, fmt::format("did you mean \"{}\"?", *meant));
  } else {
    binding.invalid(i, fmt::format("it must be one of: {}", fmt::join(words, ", ")));
  }
  return std::nullopt;
}

}  // namespace config
