// InheritedList: a list of settings whose way from level to level is itself a directive: nginx's
// `add_header_inherit on | off | merge`, and others of its kind.
//
//   on     a level's own list replaces that of the level around it; without one it has that one
//   off    a level has its own list alone
//   merge  a level's own list, and behind it that of the level around it
//
// The rule is inherited as any other setting.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "config/setters.h"

namespace config {

enum class ListInheritance : std::uint8_t { on, off, merge };

inline constexpr std::array<Choice<ListInheritance>, 3> kListInheritances{
    {{"on", ListInheritance::on},
     {"off", ListInheritance::off},
     {"merge", ListInheritance::merge}}};

/// Stands in a struct's settings() like a Setting. An Element may have `replaces(other)`: what a
/// level says about one thing then takes the place of what was said around it.
template <class Element>
struct InheritedList : Setting<std::vector<Element>> {
  Setting<ListInheritance> rule{ListInheritance::on};

  void inherit(const InheritedList& parent) {
    rule.inherit(parent.rule);
    if (*rule == ListInheritance::off || !parent.is_set) return;
    if (*rule == ListInheritance::on || !this->is_set) {
      return Setting<std::vector<Element>>::inherit(parent);
    }
    const std::size_t own = this->value.size();
    for (const Element& element : *parent) {
      if (!is_replaced(element, own)) this->value.push_back(element);
    }
  }

 private:
  [[nodiscard]] bool is_replaced(const Element& element, std::size_t own) const {
    if constexpr (requires { element.replaces(element); }) {
      return std::any_of(this->value.begin(),
                         this->value.begin() + static_cast<std::ptrdiff_t>(own),
                         [&](const Element& mine) { return mine.replaces(element); });
    } else {
      return false;
    }
  }
};

namespace detail {
template <class Member>
struct ListOf;
template <class Owner, class Element>
struct ListOf<InheritedList<Element> Owner::*> {
  using Options = Owner;
};
}  // namespace detail

/// A feature's `inherit` for options with such lists. A level that says nothing shares its parent's
/// options, but for lists that are not handed on.
template <class Options, auto... Lists>
void inherit_options_with_lists(const Level* parent, Level& child) {
  const Options* above = parent != nullptr ? parent->find<Options>() : nullptr;
  if (above != nullptr && ((*(above->*Lists).rule == ListInheritance::off) || ...)) {
    static_cast<void>(child.options<Options>());  // its own, if only to be without those lists
  }
  inherit_options<Options>(parent, child);
}

template <auto Member>
void set_list_inheritance(Binding& binding) {
  auto& list = binding.options<typename detail::ListOf<decltype(Member)>::Options>().*Member;
  if (const auto rule = read_choice<ListInheritance>(
          binding, 0, std::span<const Choice<ListInheritance>>(kListInheritances))) {
    list.rule.set(*rule, binding.where());
  }
}

}  // namespace config
