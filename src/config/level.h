// Level: one block of the configuration (main, http, a server, a location, ...) with the options
// that each feature keeps for it, and nginx's inheritance between levels.
//
// A feature's options are a struct of Settings. Directives fill the structs of their own level;
// then resolve() goes through the levels from the top, and what a level did not set it takes from
// its parent. After that every level answers find<Options>() by an array lookup, on any thread. A
// level that set nothing of a struct shares its parent's.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/check.h"
#include "config/context.h"
#include "config/diagnostics.h"
#include "config/tree.h"

namespace config {

/// A value with its default (`Setting<bool> buffering{true};`) and whether a directive set it.
/// A list is a Setting of a vector: inherited whole, or replaced whole, as in nginx.
template <class T>
struct Setting {
  T value{};
  bool is_set = false;  // here; after resolve(), here or at a level above
  Position where{};     // of the directive that set it first

  Setting() = default;
  Setting(T default_value) : value(std::move(default_value)) {}  // NOLINT: meant to be implicit

  void set(T new_value, Position at) {
    value = std::move(new_value);
    is_set = true;
    where = at;
  }
  /// For lists.
  template <class Element>
  void append(Element&& element, Position at) {
    if (!is_set) {
      value.clear();
      is_set = true;
      where = at;
    }
    value.push_back(std::forward<Element>(element));
  }
  void inherit(const Setting& parent) {
    if (!is_set) *this = parent;
  }
  [[nodiscard]] const T& value_or(const T& other) const { return is_set ? value : other; }
  [[nodiscard]] const T& operator*() const noexcept { return value; }
  [[nodiscard]] const T* operator->() const noexcept { return &value; }
};

namespace detail {
[[nodiscard]] std::size_t next_options_id() noexcept;
}  // namespace detail

/// A small number for each type of options, given before main() begins: a request looks up a
/// hundred, and a number that is given on first use is asked for each time whether it was given.
template <class T>
inline const std::size_t kOptionsId = detail::next_options_id();

class Level {
 public:
  /// The main level.
  Level() = default;
  Level(const Level&) = delete;
  Level& operator=(const Level&) = delete;

  /// A new block inside this one. `directive` lives as long as its Tree.
  Level& add_child(Context context, const Directive& directive);

  [[nodiscard]] Context context() const noexcept { return context_; }
  [[nodiscard]] const Level* parent() const noexcept { return parent_; }
  [[nodiscard]] Level* parent() noexcept { return parent_; }
  /// The directive that opened the block; null at the main level.
  [[nodiscard]] const Directive* directive() const noexcept { return directive_; }
  [[nodiscard]] Position where() const noexcept {
    return directive_ != nullptr ? directive_->name.at : Position{};
  }
  /// In the order of the file.
  [[nodiscard]] std::span<const std::unique_ptr<Level>> children() const noexcept {
    return children_;
  }
  [[nodiscard]] Level& root() noexcept;
  /// This level or the nearest one around it that is of `context`; null if there is none.
  [[nodiscard]] Level* enclosing(Context context) noexcept;
  [[nodiscard]] const Level* enclosing(Context context) const noexcept;

  /// This level's own T, made when asked for first. Not for a T that is shared with the parent.
  template <class T>
  [[nodiscard]] T& options() {
    const std::size_t id = kOptionsId<T>;
    if (found_at(id) == nullptr) set_slot(id, {std::make_shared<T>(), false});
    CHECK(!slots_[id].shared);
    return *static_cast<T*>(slots_[id].value.get());
  }
  /// This level's T, its own or (after resolve) the inherited one; null if nobody made one.
  template <class T>
  [[nodiscard]] const T* find() const noexcept {
    return static_cast<const T*>(found_at(kOptionsId<T>));
  }
  /// The same where it is known to exist, as after resolve().
  template <class T>
  [[nodiscard]] const T& get() const {
    const T* found = find<T>();
    CHECK(found != nullptr);
    return *found;
  }
  /// Takes the parent's T instead of one of its own.
  template <class T>
  void share_from(const Level& other) {
    const std::size_t id = kOptionsId<T>;
    CHECK(id < other.slots_.size());
    set_slot(id, {other.slots_[id].value, true});
  }

 private:
  struct Slot {
    std::shared_ptr<void> value;
    bool shared = false;
  };
  [[nodiscard]] const void* found_at(std::size_t id) const noexcept {
    return id < found_.size() ? found_[id] : nullptr;
  }
  void set_slot(std::size_t id, Slot slot) {
    if (id >= slots_.size()) {
      slots_.resize(id + 1);
      found_.resize(id + 1);
    }
    slots_[id] = std::move(slot);
    found_[id] = slots_[id].value.get();
  }

  Context context_ = Context::main;
  Level* parent_ = nullptr;
  const Directive* directive_ = nullptr;
  std::vector<std::unique_ptr<Level>> children_;
  std::vector<Slot> slots_;  // by kOptionsId
  // What slots_ point to: each request asks a hundred times, and steps of 24 bytes are counted by
  // division.
  std::vector<const void*> found_;
};

namespace detail {
template <class Options>
void inherit_one(const Level* parent, Level& child) {
  const Options* above = parent != nullptr ? parent->find<Options>() : nullptr;
  if (above == nullptr) {
    static_cast<void>(child.options<Options>());
    return;
  }
  if (child.find<Options>() == nullptr) {
    child.share_from<Options>(*parent);
    return;
  }
  auto mine = child.options<Options>().settings();
  auto theirs = above->settings();
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (std::get<I>(mine).inherit(std::get<I>(theirs)), ...);
  }(std::make_index_sequence<std::tuple_size_v<decltype(mine)>>{});
}
}  // namespace detail

/// A feature's `inherit`, for structs that consist of Settings and name them all:
///
///   struct Options {
///     Setting<bool> buffering{true};
///     Setting<std::vector<std::string>> hidden;
///     auto settings(this auto& self) { return std::tie(self.buffering, self.hidden); }
///   };
///
/// What is a block's own and not inherited (a server's `listen`) belongs in a struct apart, that no
/// `inherit` names: find() is then null at all other levels.
template <class... Options>
void inherit_options(const Level* parent, Level& child) {
  (detail::inherit_one<Options>(parent, child), ...);
}

}  // namespace config
