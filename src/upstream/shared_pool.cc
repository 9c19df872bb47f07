#include "upstream/shared_pool.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace upstream {

namespace {

http::h2::ClientOptions h2_options(const KeepAlive& keep, const http::h2::Limits& limits,
                                   http::h2::SharedBudget* budget) {
  http::h2::ClientOptions options{
      .limits = limits, .ping_timeout = keep.ping_timeout, .budget = budget};
  if (keep.ping_interval != std::chrono::milliseconds::max()) {
    options.ping_interval = keep.ping_interval;
  }
  return options;
}

}  // namespace

SharedPool::~SharedPool() {
  for (const auto& line : lines_) line->let_go();
}

template <class Visit>
void SharedPool::for_each(Visit visit) const {
  for (const auto& line : lines_) {
    for (const auto& connection : line->connections()) visit(*line, *connection);
  }
}

SharedPool::Use SharedPool::line_of(const Identity& identity) {
  const auto found = std::ranges::find_if(
      lines_, [&](const auto& line) { return line->identity().matches(identity); });
  if (found != lines_.end()) return {*this, **found};
  return {*this, *lines_.emplace_back(std::make_unique<Line>(*this, identity))};
}

void SharedPool::tidy() noexcept {
  std::erase_if(lines_, [](const auto& line) { return line->is_empty(); });
}

std::shared_ptr<SharedConnection> SharedPool::start(Transport transport, Line* line,
                                                    const http::h2::Limits& limits) {
  CHECK(background_ != nullptr);
  auto made = std::make_shared<SharedConnection>(std::move(transport), options_,
                                                 h2_options(options_, limits, budget_), counters_,
                                                 closed_ ? nullptr : line);
  made->enter();
  if (line != nullptr && !closed_) line->add(made, ++newest_);
  background_->spawn(SharedConnection::run(made));
  return made;
}

void SharedPool::became_idle(SharedConnection& connection) noexcept {
  if (idle() <= options_.max_idle) return;
  SharedConnection* old = oldest();
  if (old != nullptr && old != &connection) old->retire();
}

void SharedPool::forget(std::uint32_t peer) noexcept {
  for (const auto& line : lines_) {
    if (line->identity().peer() == peer) line->let_go();
  }
  tidy();
}

void SharedPool::close() noexcept {
  closed_ = true;
  for (const auto& line : lines_) line->let_go();
  tidy();
}

std::size_t SharedPool::size() const noexcept {
  std::size_t count = 0;
  for_each([&](const Line&, const SharedConnection&) { ++count; });
  return count;
}

std::size_t SharedPool::idle() const noexcept {
  std::size_t count = 0;
  for_each([&](const Line&, const SharedConnection& each) { count += each.is_idle() ? 1 : 0; });
  return count;
}

std::size_t SharedPool::idle_of(std::uint32_t peer) const noexcept {
  std::size_t count = 0;
  for_each([&](const Line& line, const SharedConnection& each) {
    count += line.identity().peer() == peer && each.is_idle() ? 1 : 0;
  });
  return count;
}

SharedConnection* SharedPool::oldest() const noexcept {
  SharedConnection* oldest = nullptr;
  for_each([&](const Line&, SharedConnection& each) {
    if (!each.is_idle()) return;
    if (oldest == nullptr || each.idle_since() < oldest->idle_since()) oldest = &each;
  });
  return oldest;
}

base::TimePoint SharedPool::oldest_since() const noexcept {
  const SharedConnection* found = oldest();
  return found == nullptr ? base::kNoDeadline : found->idle_since();
}

void SharedPool::discard_oldest() noexcept {
  if (SharedConnection* found = oldest()) found->retire();
}

}  // namespace upstream
