// BodyFilter: what changes a response's body on its way to the client. Each is a sink with the next
// one behind it; the last writes to the connection (proxy/filtering_responder.h). A filter holds
// what it needs of the body and no more, so that a body of any length passes in bounded memory.
//
// A filter begins with the head: a function beside it decides by the level's plan, the request and
// the response's head whether it takes part, and changes the head (head_changes.h).
#pragma once

#include <memory>
#include <vector>

#include "base/check.h"
#include "http/body_sink.h"

namespace filter {

class BodyFilter : public http::BodySink {
 public:
  /// Before the first write; `next` outlives the last.
  void set_next(http::BodySink& next) noexcept { next_ = &next; }

 protected:
  [[nodiscard]] http::BodySink& next() const {
    CHECK(next_ != nullptr);
    return *next_;
  }

 private:
  http::BodySink* next_ = nullptr;
};

/// Those that take part in one response, in the order that the body passes them.
using BodyFilters = std::vector<std::unique_ptr<BodyFilter>>;

}  // namespace filter
