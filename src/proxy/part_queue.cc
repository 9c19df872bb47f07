#include "proxy/part_queue.h"

#include <algorithm>
#include <utility>

namespace proxy {

using base::Result;
using http::Then;

namespace {

Context& root_of(Context& page) {
  Context* root = &page;
  while (root->parent != nullptr) root = root->parent;
  return *root;
}

}  // namespace

// What one part has given before its turn, and what stands behind it.
class PartQueue::Part final : public http::BodySink {
 public:
  Part(PartQueue& queue, Subrequest::What what) : request(queue.page_, what, this), queue_(queue) {
    ++queue_.root_.parts_running;
  }
  ~Part() override { --queue_.root_.parts_running; }

  [[nodiscard]] async::Task<Result<void>> write(std::string_view piece, Then /*then*/,
                                                io::Patience /*patience*/) override {
    while (!piece.empty()) {
      if (queue_.error_) co_return base::fail(*queue_.error_);
      if (queue_.is_turn_of(*this)) co_return co_await queue_.pass(piece);
      const std::size_t room = kHold - held.size();
      const std::string_view fits = piece.substr(0, room);
      held += fits;
      piece.remove_prefix(fits.size());
      if (piece.empty()) break;
      CO_TRY_VOID(co_await turn_.arrival());
      static_cast<void>(turn_.try_receive());
    }
    co_return Result<void>{};
  }
  void notify() {
    bool yes = true;
    static_cast<void>(turn_.try_send(yes));
  }

  Subrequest request;
  std::string held;    // 0 <= size <= kHold
  std::string behind;  // of the page
  bool done = false;

 private:
  PartQueue& queue_;
  async::Channel<bool> turn_{1};
};

PartQueue::PartQueue(Context& page, http::BodySink& sink)
    : page_(page), root_(root_of(page)), sink_(sink), scope_(page.scope) {}

PartQueue::~PartQueue() = default;

bool PartQueue::has_room() const noexcept { return root_.parts_running < kMost; }

bool PartQueue::is_turn_of(const Part& part) const noexcept {
  return !advancing_ && parts_.front().get() == &part;
}

void PartQueue::start(Subrequest::What what) {
  parts_.push_back(std::make_unique<Part>(*this, what));
  scope_.spawn(run(*parts_.back()));
}

async::Task<void> PartQueue::run(Part& part) {
  co_await part.request.run();
  part.done = true;
  if (const auto outcome = part.request.outcome(); !outcome) fail(outcome.error());
  notify();
  if (is_turn_of(part)) co_await advance();  // `part` is gone then
}

async::Task<void> PartQueue::advance() {
  advancing_ = true;
  while (!error_ && !parts_.empty()) {
    Part& first = *parts_.front();
    if (!first.held.empty()) {
      const std::string text = std::exchange(first.held, {});
      static_cast<void>(co_await pass(text));
    } else if (!first.done) {
      break;  // it goes on by itself
    } else if (!first.behind.empty()) {
      const std::string text = std::exchange(first.behind, {});
      static_cast<void>(co_await pass(text));
      text_held_ -= text.size();
      notify();
    } else {
      parts_.pop_front();
    }
  }
  advancing_ = false;
  if (!parts_.empty()) parts_.front()->notify();
  notify();
}

void PartQueue::stop() noexcept {
  if (!error_) error_ = base::Error{.code = base::ErrorCode::cancelled};
  scope_.request_stop();
}

PartQueue::Done PartQueue::pass(std::string_view text) {
  auto passed = co_await sink_.write(text, Then::more, base::kNoDeadline);
  if (!passed) fail(passed.error());
  co_return passed;
}

// The page can't be whole any more. Those who wait learn it at their next step.
void PartQueue::fail(const base::Error& error) {
  if (!error_) error_ = error;
  for (const auto& part : parts_) part->notify();
  notify();
}

void PartQueue::notify() {
  bool yes = true;
  static_cast<void>(changed_.try_send(yes));
}

template <class Condition>
PartQueue::Done PartQueue::wait_until(Condition holds) {
  while (true) {
    if (error_) co_return base::fail(*error_);
    if (holds()) co_return Result<void>{};
    CO_TRY_VOID(co_await changed_.arrival());
    static_cast<void>(changed_.try_receive());
  }
}

async::Task<Result<bool>> PartQueue::append(std::string_view text) {
  CO_TRY_VOID(co_await wait_until([this] { return empty() || text_held_ < kHold; }));
  if (empty()) co_return false;
  parts_.back()->behind += text;
  text_held_ += text.size();
  co_return true;
}

PartQueue::Done PartQueue::wait_for_last() {
  return wait_until([this] { return empty() || parts_.back()->done; });
}

PartQueue::Done PartQueue::drain() {
  return wait_until([this] { return empty(); });
}

async::Task<void> finish_parts(Context& context) {
  for (const auto& parts : context.parts) {
    parts->stop();
    co_await parts->join();
  }
  context.parts.clear();
}

}  // namespace proxy
