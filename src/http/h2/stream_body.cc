#include "http/h2/stream_body.h"

namespace http::h2 {

std::optional<base::Result<std::string_view>> StreamBody::try_read() {
  if (ended_) return std::string_view{};
  auto piece = stream_.take();
  ended_ = piece && *piece && (*piece)->empty();
  return piece;
}

async::Task<base::Result<std::string_view>> StreamBody::read(base::Deadline deadline) {
  while (true) {
    if (auto piece = try_read()) co_return *std::move(piece);
    CO_TRY_VOID(co_await io::ready(stream_, io::Direction::read, deadline, io::Waiting::busy));
  }
}

std::optional<std::uint64_t> StreamBody::length() const noexcept {
  switch (framing_.kind) {
    case BodyFraming::Kind::none: return 0;
    case BodyFraming::Kind::length: return framing_.length;
    default: return std::nullopt;
  }
}

}  // namespace http::h2
