// Fields: the header (or trailer) section of one message, in order of arrival, in an arena.
//
// An array and a bit set: messages have some twenty fields, so a scan over small integers beats a
// hash table, and most look-ups of absent fields end at the bit set. Names and values are views
// into the connection's buffer or the arena; whoever adds a field answers for its lifetime.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "base/arena.h"
#include "http/field_name.h"

namespace http {

struct Field {
  FieldName id = FieldName::other;
  std::string_view name;   // as received
  std::string_view value;  // without white space at its ends
};

class Fields {
 public:
  static constexpr std::size_t kDefaultMaxCount = 1000;

  /// At most `max_count` fields; a codec's own limit is usually lower and met first.
  explicit Fields(base::Arena& arena, std::size_t max_count = kDefaultMaxCount) noexcept
      : arena_(&arena), max_count_(max_count) {}
  // Two objects over one array would overwrite each other's fields: copying is spelled copy_from.
  Fields(const Fields&) = delete;
  Fields& operator=(const Fields&) = delete;
  Fields(Fields&& other) noexcept;
  Fields& operator=(Fields&& other) noexcept;

  /// Appends. False, and nothing changed, when the limit is reached.
  [[nodiscard]] bool add(std::string_view name, std::string_view value) {
    return add(Field{intern(name), name, value});
  }
  [[nodiscard]] bool add(FieldName id, std::string_view value) {
    return add(Field{id, text_of(id), value});
  }
  [[nodiscard]] bool add(const Field& field);

  /// Exactly one field of that name afterwards: the first is given the value, the others removed;
  /// appended if there was none. False when the limit is reached.
  [[nodiscard]] bool set(std::string_view name, std::string_view value);
  [[nodiscard]] bool set(FieldName id, std::string_view value);

  /// Removes all fields of that name, keeping the order of the others; how many there were.
  std::size_t remove(FieldName id) noexcept;
  std::size_t remove(std::string_view name) noexcept;
  /// Removes all fields for which `unwanted(field)` is true.
  template <class Predicate>
  std::size_t remove_if(Predicate unwanted) noexcept {
    std::size_t kept = 0;
    const std::size_t before = count_;
    present_ = {};
    bytes_ = 0;
    for (std::size_t i = 0; i < before; ++i) {
      if (unwanted(std::as_const(storage_[i]))) continue;
      storage_[kept] = storage_[i];
      note(storage_[kept]);
      ++kept;
    }
    count_ = kept;
    return before - kept;
  }
  void clear() noexcept;
  /// Replaces everything by the other's fields; views are shared, the array is not.
  [[nodiscard]] bool copy_from(const Fields& other);

  [[nodiscard]] bool has(FieldName id) const noexcept {
    const auto i = static_cast<std::size_t>(id);
    return ((present_[i / 64] >> (i % 64)) & 1U) != 0;
  }
  /// The first one, or null. Valid until the next change.
  [[nodiscard]] const Field* find(FieldName id) const noexcept;
  [[nodiscard]] const Field* find(std::string_view name) const noexcept;
  /// The value of the first one; empty if there is none.
  [[nodiscard]] std::string_view value(FieldName id) const noexcept {
    const Field* field = find(id);
    return field != nullptr ? field->value : std::string_view{};
  }
  [[nodiscard]] std::size_t count(FieldName id) const noexcept;

  [[nodiscard]] std::span<const Field> all() const noexcept { return storage_.first(count_); }
  [[nodiscard]] auto begin() const noexcept { return all().begin(); }
  [[nodiscard]] auto end() const noexcept { return all().end(); }
  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  /// Bytes of all names and values.
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] base::Arena& arena() const noexcept { return *arena_; }

 private:
  void note(const Field& field) noexcept {
    const auto i = static_cast<std::size_t>(field.id);
    present_[i / 64] |= std::uint64_t{1} << (i % 64);
    bytes_ += field.name.size() + field.value.size();
  }
  void grow();
  template <class Matches>
  [[nodiscard]] bool set_matching(const Field& wanted, Matches matches);

  base::Arena* arena_;
  std::span<Field> storage_;  // count_ <= storage_.size()
  std::size_t count_ = 0;
  std::size_t max_count_;
  std::size_t bytes_ = 0;
  std::array<std::uint64_t, (kFieldNameCount + 63) / 64> present_{};
};

}  // namespace http
