// Regex: PCRE2, compiled once at load with its JIT, matched with bounds.
//
// Matching never recurses on the caller's stack: every thread has a JIT stack and match data of its
// own (OpenSSL runs callbacks on a 32 KB stack, where a JIT match on the machine stack overflows).
// The step limit bounds catastrophic patterns: exhaustion is an Error, never a hang.
// A compiled Regex is immutable and may be shared by threads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace base {

/// Captures of the last successful match: views into the subject, and so valid as long as it is.
struct Captures {
  static constexpr std::size_t kMax = 16;  // $0 is the whole match; later groups are not reported
  std::array<std::string_view, kMax> groups{};
  std::size_t count = 0;
  [[nodiscard]] std::string_view operator[](std::size_t i) const noexcept {
    return i < count ? groups[i] : std::string_view{};
  }
};

class Regex {
 public:
  enum class Case : std::uint8_t { sensitive, insensitive };
  struct CompileError {
    std::string message;
    std::size_t offset;  // byte in the pattern
  };
  struct NamedGroup {
    std::string name;
    std::size_t index;
  };

  [[nodiscard]] static std::expected<Regex, CompileError> compile(std::string_view pattern,
                                                                  Case letter_case);
  ~Regex();
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;

  /// true and `captures` filled, or false. Error `exhausted` when the step limit was reached,
  /// `invalid` when PCRE2 failed otherwise. `captures` may be null.
  [[nodiscard]] Result<bool> match(std::string_view subject, Captures* captures) const;

  [[nodiscard]] const std::vector<NamedGroup>& named_groups() const noexcept { return names_; }
  [[nodiscard]] std::size_t group_count() const noexcept { return group_count_; }
  [[nodiscard]] const std::string& pattern() const noexcept { return pattern_; }

  /// Steps per match before `exhausted`; PCRE2's match limit.
  static constexpr std::uint32_t kMatchLimit = 100'000;

 private:
  Regex() = default;
  struct Code;
  std::unique_ptr<Code> code_;
  std::string pattern_;
  std::vector<NamedGroup> names_;
  std::size_t group_count_ = 0;
};

}  // namespace base
