// PartQueue: the parts of an SSI page that are fetched side by side, in the page's order.
//
//   parts     [ first ] [ second ] [ third ]
//   behind       |text     |text      |text      what stands in the page behind each
//
// The first part writes straight to the client's side; what the others give is held, up to kHold
// bytes, and then they wait for their turn. So is the page's text behind them. Whoever ends first
// in the line writes what was held of the next, whose turn it is then. All parts of one client's
// request count together, those of parts too: where kMost run already, whoever asks fetches its
// part at its turn, which always gets on.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "async/channel.h"
#include "async/scope.h"
#include "async/task.h"
#include "http/body_sink.h"
#include "proxy/context.h"
#include "proxy/subrequest.h"

namespace proxy {

class PartQueue {
 public:
  using Done = async::Task<base::Result<void>>;

  /// Parts that run at once for one client's request.
  static constexpr unsigned kMost = 8;
  /// Bytes that are held of a part, and of the page's text behind parts.
  static constexpr std::size_t kHold = std::size_t{32} * 1024;

  /// `page` outlives the last of its parts, that is join(); `sink` until stop() or all are done.
  /// Nobody else writes to the sink while the queue is not empty.
  PartQueue(Context& page, http::BodySink& sink);
  PartQueue(const PartQueue&) = delete;
  PartQueue& operator=(const PartQueue&) = delete;
  ~PartQueue();

  [[nodiscard]] bool empty() const noexcept { return parts_.empty(); }
  /// Whether one more may run beside those that do.
  [[nodiscard]] bool has_room() const noexcept;
  void start(Subrequest::What what);
  /// Takes text that stands behind the last part, after waiting for room. False: no part is left,
  /// the text is still the caller's.
  [[nodiscard]] async::Task<base::Result<bool>> append(std::string_view text);
  /// Until the last part that was started has come to its end, whether it has been passed on or
  /// not.
  [[nodiscard]] Done wait_for_last();
  /// Until all was passed on.
  [[nodiscard]] Done drain();

  /// From now on no part writes to the sink, not even one that was about to.
  void stop() noexcept;
  [[nodiscard]] async::Scope::Join join() noexcept { return scope_.join(); }

 private:
  class Part;

  [[nodiscard]] async::Task<void> run(Part& part);
  [[nodiscard]] async::Task<void> advance();
  [[nodiscard]] Done pass(std::string_view text);
  template <class Condition>
  [[nodiscard]] Done wait_until(Condition holds);
  [[nodiscard]] bool is_turn_of(const Part& part) const noexcept;
  void fail(const base::Error& error);
  void notify();

  Context& page_;
  Context& root_;  // the client's request
  http::BodySink& sink_;
  async::Channel<bool> changed_{1};  // for whoever waits for the queue
  std::deque<std::unique_ptr<Part>> parts_;
  std::size_t text_held_ = 0;  // behind all parts
  bool advancing_ = false;  // somebody writes what was held
  std::optional<base::Error> error_;
  async::Scope scope_;  // ends first
};

/// Stops what still runs of a page's parts, and waits for it: before what they write to is gone.
[[nodiscard]] async::Task<void> finish_parts(Context& context);

}  // namespace proxy
