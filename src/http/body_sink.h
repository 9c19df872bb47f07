// BodySink: where the content of a message is pushed to, the counterpart of Body. What changes a
// body on its way (filters) is a sink with another behind it.
//
// Back-pressure is the time that write() takes.
#pragma once

#include <cstdint>
#include <string_view>

#include "async/task.h"
#include "base/result.h"
#include "io/patience.h"

namespace http {

/// What comes behind a piece.
enum class Then : std::uint8_t {
  more,
  flush,  // more, but nothing that is held back may wait for it
  end,
};

class BodySink {
 public:
  BodySink() = default;
  BodySink(const BodySink&) = delete;
  BodySink& operator=(const BodySink&) = delete;
  virtual ~BodySink() = default;

  /// Takes all of `piece`, which may be empty. Not after Then::end or an error. `patience` is the
  /// receiver's.
  [[nodiscard]] virtual async::Task<base::Result<void>> write(std::string_view piece, Then then,
                                                              io::Patience patience) = 0;
};

}  // namespace http
