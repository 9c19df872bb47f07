// Map: a variable whose value depends on a text: nginx's `map`. First the exact key and wildcards
// of host names, by hash; then the regular expressions in their order; then the default.
//
// Constants lie in one text, so that a million of them are a million times eight bytes and their
// letters.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "script/name_hash.h"
#include "script/pattern.h"
#include "script/value.h"

namespace script {

class Map final : public Source {
 public:
  /// What an entry gives: an index.
  using Outcome = std::uint32_t;

  /// Without entries, and with an empty default.
  explicit Map(Value key) : key_(std::move(key)) {}

  [[nodiscard]] Outcome constant(std::string_view text);
  [[nodiscard]] Outcome evaluated(Value value);

  /// From here on keys may be wildcards; a dot at the end of the text that is looked up does not
  /// count.
  void use_host_names() noexcept { host_names_ = true; }
  [[nodiscard]] NameHash::Added add(std::string_view key, Outcome outcome) {
    return host_names_ ? names_.add(key, outcome) : names_.add_exact(key, outcome);
  }
  void add(Pattern pattern, Outcome outcome) { patterns_.push_back({std::move(pattern), outcome}); }
  void set_default(Outcome outcome) noexcept { default_ = outcome; }

  /// A regular expression that matches sets the subject's captures, which the value may use. One
  /// that ends without a verdict is a failure of the subject: never "no match".
  [[nodiscard]] std::optional<std::string_view> compute(Subject& subject) const override;

 private:
  struct Constant {
    std::uint32_t start;  // in text_; of a value that is evaluated, its index in values_
    std::uint32_t size;   // kEvaluated: it is one
  };
  static constexpr std::uint32_t kEvaluated = static_cast<std::uint32_t>(-1);
  struct Entry {
    Pattern pattern;
    Outcome outcome;
  };

  /// Nothing where a regular expression failed.
  [[nodiscard]] std::optional<Outcome> find(std::string_view text, Subject& subject) const;

  Value key_;
  bool host_names_ = false;
  NameHash names_;
  std::vector<Entry> patterns_;
  std::string text_;
  std::vector<Constant> outcomes_{Constant{0, 0}};
  std::vector<Value> values_;
  Outcome default_ = 0;
};

}  // namespace script
