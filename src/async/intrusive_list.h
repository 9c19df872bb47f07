// A doubly linked list whose links lie in its members: no allocation, removal in O(1) without
// knowing the list. A Link unlinks itself when it dies, so a list never holds a dead member.
#pragma once

namespace async {

class Link {
 public:
  Link() = default;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  ~Link() { unlink(); }

  [[nodiscard]] bool linked() const noexcept { return next_ != nullptr; }
  void unlink() noexcept {
    if (next_ == nullptr) return;
    next_->previous_ = previous_;
    previous_->next_ = next_;
    next_ = previous_ = nullptr;
  }

 private:
  template <class T>
  friend class List;
  Link* next_ = nullptr;
  Link* previous_ = nullptr;
};

/// T derives from Link. Members are not owned.
template <class T>
class List {
 public:
  List() noexcept { head_.next_ = head_.previous_ = &head_; }
  List(const List&) = delete;
  List& operator=(const List&) = delete;
  ~List() {
    while (!empty()) head_.next_->unlink();
    head_.next_ = head_.previous_ = nullptr;
  }

  [[nodiscard]] bool empty() const noexcept { return head_.next_ == &head_; }
  void push_back(T& member) noexcept {
    Link& link = member;
    link.unlink();
    link.previous_ = head_.previous_;
    link.next_ = &head_;
    head_.previous_->next_ = &link;
    head_.previous_ = &link;
  }
  [[nodiscard]] T& front() noexcept { return static_cast<T&>(*head_.next_); }
  [[nodiscard]] T& back() noexcept { return static_cast<T&>(*head_.previous_); }
  /// Removes and returns the first member. The list must not be empty.
  T& pop_front() noexcept {
    T& member = front();
    static_cast<Link&>(member).unlink();
    return member;
  }
  /// Moves all members of `other` to the end of this list.
  void take(List& other) noexcept {
    while (!other.empty()) push_back(other.pop_front());
  }
  /// `visit` may unlink the member it is given, and no other.
  template <class Visit>
  void for_each(Visit visit) {
    for (Link* at = head_.next_; at != &head_;) {
      Link* next = at->next_;
      visit(static_cast<T&>(*at));
      at = next;
    }
  }

 private:
  Link head_;
};

}  // namespace async
