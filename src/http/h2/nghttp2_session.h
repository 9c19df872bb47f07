// What session.cc and session_submit.cc share: the nghttp2 session with its callbacks' state. The
// only header that includes nghttp2's; for those two files.
#pragma once

#include <nghttp2/nghttp2.h>

#include <vector>

#include "http/h2/session.h"
#include "http/h2/session_memory.h"
#include "io/buffer.h"

namespace http::h2 {

struct Session::Nghttp2 {
  SessionMemory memory;
  nghttp2_session* session = nullptr;
  SessionOwner* owner = nullptr;
  io::Buffer* out = nullptr;  // while gather() runs
  Stream* head_sent = nullptr;  // whose head nghttp2 has just made the last frame of
  bool shared_window = false;  // of the connection: given back as data comes, not as it is read
  std::int32_t last_begun = 0;  // the highest stream that the client has begun
  bool goaway_sent = false;     // from now on streams that it begins are ignored
  static constexpr std::size_t kOwnResets = 256;
  std::vector<std::int32_t> own_resets;  // the last kOwnResets: frames for them are on the way
  std::size_t own_reset_count = 0;
  std::size_t decoded_for_nobody = 0;  // of the header block that comes, if its stream is refused
  bool cut_by_window = false;  // of the DATA frame that is being made

  [[nodiscard]] Stream* stream(std::int32_t id) const noexcept {
    return static_cast<Stream*>(nghttp2_session_get_stream_user_data(session, id));
  }
  void append(std::string_view bytes);
  void note_own_reset(std::int32_t id);
  /// Gives the window back of what a stream has received. A backend's connection serves many
  /// clients: one that reads slowly holds up its own stream alone.
  void consume(std::int32_t id, std::size_t size) const noexcept;
  /// The source of a stream's DATA.
  [[nodiscard]] static nghttp2_data_provider data_of(Stream& stream) noexcept;
};

}  // namespace http::h2
