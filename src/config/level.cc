#include "config/level.h"

#include <atomic>

namespace config {

std::size_t detail::next_options_id() noexcept {
  static std::atomic<std::size_t> next = 0;
  return next.fetch_add(1, std::memory_order_relaxed);
}

Level& Level::add_child(Context context, const Directive& directive) {
  auto child = std::make_unique<Level>();
  child->context_ = context;
  child->parent_ = this;
  child->directive_ = &directive;
  children_.push_back(std::move(child));
  return *children_.back();
}

Level& Level::root() noexcept {
  Level* level = this;
  while (level->parent_ != nullptr) level = level->parent_;
  return *level;
}

Level* Level::enclosing(Context context) noexcept {
  Level* level = this;
  while (level != nullptr && level->context_ != context) level = level->parent_;
  return level;
}

const Level* Level::enclosing(Context context) const noexcept {
  const Level* level = this;
  while (level != nullptr && level->context_ != context) level = level->parent_;
  return level;
}

}  // namespace config
