// What session.cc and session_submit.cc share: the nghttp2 session with its callbacks' state. The
// only header that includes nghttp2's; for those two files.
#pragma once

#include <nghttp2/nghttp2.h>

#include "http/h2/session.h"
#include "io/buffer.h"

namespace http::h2 {

struct Session::Nghttp2 {
  nghttp2_session* session = nullptr;
  SessionOwner* owner = nullptr;
  io::Buffer* out = nullptr;  // while gather() runs
  Stream* head_sent = nullptr;  // whose head nghttp2 has just made the last frame of
  bool cut_by_window = false;  // of the DATA frame that is being made

  [[nodiscard]] Stream* stream(std::int32_t id) const noexcept {
    return static_cast<Stream*>(nghttp2_session_get_stream_user_data(session, id));
  }
  void append(std::string_view bytes);
  /// The source of a stream's DATA.
  [[nodiscard]] static nghttp2_data_provider data_of(Stream& stream) noexcept;
};

}  // namespace http::h2
