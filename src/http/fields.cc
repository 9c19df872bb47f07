#include "http/fields.h"

#include <algorithm>
#include <memory>

#include "base/text.h"

namespace http {

namespace {
constexpr std::size_t kFirstCapacity = 24;
}

Fields::Fields(Fields&& other) noexcept
    : arena_(other.arena_),
      storage_(std::exchange(other.storage_, {})),
      count_(std::exchange(other.count_, 0)),
      max_count_(other.max_count_),
      bytes_(std::exchange(other.bytes_, 0)),
      present_(std::exchange(other.present_, {})) {}

Fields& Fields::operator=(Fields&& other) noexcept {
  if (this == &other) return *this;
  arena_ = other.arena_;
  storage_ = std::exchange(other.storage_, {});
  count_ = std::exchange(other.count_, 0);
  max_count_ = other.max_count_;
  bytes_ = std::exchange(other.bytes_, 0);
  present_ = std::exchange(other.present_, {});
  return *this;
}

bool Fields::add(const Field& field) {
  if (count_ >= max_count_) return false;
  if (count_ == storage_.size()) grow();
  storage_[count_] = field;
  ++count_;
  note(field);
  return true;
}

void Fields::grow() {
  // The old array stays in the arena: doubling wastes at most as much as is used.
  const std::span<Field> wider = arena_->make_array_to_fill<Field>(
      storage_.empty() ? std::min(kFirstCapacity, max_count_) : storage_.size() * 2);
  std::ranges::copy(storage_.first(count_), wider.begin());
  storage_ = wider;
}

template <class Matches>
bool Fields::set_matching(const Field& wanted, Matches matches) {
  bool found = false;
  for (Field& field : storage_.first(count_)) {
    if (!matches(field)) continue;
    field = wanted;
    found = true;
    break;
  }
  if (!found) return add(wanted);
  bool first = true;
  remove_if([&](const Field& field) {
    if (!matches(field)) return false;
    return !std::exchange(first, false);
  });
  return true;
}

bool Fields::set(FieldName id, std::string_view value) {
  if (!has(id)) return add(id, value);
  return set_matching({id, text_of(id), value},
                      [id](const Field& field) { return field.id == id; });
}

bool Fields::set(std::string_view name, std::string_view value) {
  const FieldName id = intern(name);
  return set_matching({id, name, value}, [id, name](const Field& field) {
    return field.id == id &&
           (id != FieldName::other || base::equal_ignoring_case(field.name, name));
  });
}

std::size_t Fields::remove(FieldName id) noexcept {
  if (!has(id)) return 0;
  return remove_if([id](const Field& field) { return field.id == id; });
}

std::size_t Fields::remove(std::string_view name) noexcept {
  const FieldName id = intern(name);
  if (id != FieldName::other) return remove(id);
  if (!has(id)) return 0;
  return remove_if([name](const Field& field) {
    return field.id == FieldName::other && base::equal_ignoring_case(field.name, name);
  });
}

void Fields::clear() noexcept {
  count_ = 0;
  bytes_ = 0;
  present_ = {};
}

bool Fields::copy_from(const Fields& other) {
  if (this == &other) return true;
  clear();
  return std::ranges::all_of(other, [this](const Field& field) { return add(field); });
}

const Field* Fields::find(FieldName id) const noexcept {
  if (!has(id)) return nullptr;
  for (const Field& field : all()) {
    if (field.id == id) return &field;
  }
  return nullptr;
}

const Field* Fields::find(std::string_view name) const noexcept {
  const FieldName id = intern(name);
  if (id != FieldName::other) return find(id);
  if (!has(id)) return nullptr;
  for (const Field& field : all()) {
    if (field.id == id && base::equal_ignoring_case(field.name, name)) return &field;
  }
  return nullptr;
}

std::size_t Fields::count(FieldName id) const noexcept {
  if (!has(id)) return 0;
  return static_cast<std::size_t>(std::ranges::count(all(), id, &Field::id));
}

}  // namespace http
