#include "http/h2/session.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "http/h2/frame_watch.h"
#include "http/h2/nghttp2_session.h"
#include "http/h2/stream.h"

namespace http::h2 {

namespace {

using State = Session::Nghttp2;

State& state_of(void* user_data) noexcept { return *static_cast<State*>(user_data); }

std::string_view view_of(const std::uint8_t* bytes, std::size_t size) noexcept {
  return {reinterpret_cast<const char*>(bytes), size};
}

std::uint32_t read_u32(std::string_view bytes) noexcept {
  std::uint32_t value = 0;
  for (const char c : bytes.substr(0, 4)) value = value << 8U | static_cast<std::uint8_t>(c);
  return value;
}

// RFC 9113 §5.1: frames for a stream that the client itself has ended. nghttp2 lets them pass. Not
// told from them: a stream that was passed over when a later one was begun, which is an error, too.
bool is_for_closed_stream(State& state, const nghttp2_frame_hd& header) noexcept {
  if (header.type != NGHTTP2_DATA && header.type != NGHTTP2_HEADERS) return false;
  if (state.shared_window || state.goaway_sent || header.stream_id % 2 == 0) return false;
  if (header.stream_id > state.last_begun) {
    if (header.type == NGHTTP2_HEADERS) state.last_begun = header.stream_id;
    return false;
  }
  return nghttp2_session_find_stream(state.session, header.stream_id) == nullptr &&
         std::ranges::find(state.own_resets, header.stream_id) == state.own_resets.end();
}

int on_begin_frame(nghttp2_session* session, const nghttp2_frame_hd* header, void* user_data) {
  if (is_for_closed_stream(state_of(user_data), *header)) {
    nghttp2_session_terminate_session(session, NGHTTP2_STREAM_CLOSED);
  }
  // RFC 9113 §6.3; what it says of the tree means nothing any more.
  if (header->type == NGHTTP2_PRIORITY && header->stream_id == 0) {
    nghttp2_session_terminate_session(session, NGHTTP2_PROTOCOL_ERROR);
  }
  return 0;
}

int on_begin_headers(nghttp2_session* session, const nghttp2_frame* frame, void* user_data) {
  if (frame->hd.type != NGHTTP2_HEADERS) return 0;
  State& state = state_of(user_data);
  if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
    Stream* opened = state.owner->on_new_stream(frame->hd.stream_id);
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, opened);
  }
  Stream* stream = state.stream(frame->hd.stream_id);
  state.decoded_for_nobody = 0;
  if (stream == nullptr) return 0;
  const bool later = frame->headers.cat == NGHTTP2_HCAT_HEADERS;
  stream->on_block(later ? Stream::Block::later : Stream::Block::first);
  return 0;
}

int on_header(nghttp2_session* /*session*/, const nghttp2_frame* frame, const std::uint8_t* name,
              std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
              std::uint8_t /*flags*/, void* user_data) {
  State& state = state_of(user_data);
  if (Stream* stream = state.stream(frame->hd.stream_id); stream != nullptr) {
    stream->on_field(view_of(name, name_size), view_of(value, value_size));
    return 0;
  }
  state.decoded_for_nobody += name_size + value_size;
  state.owner->on_decoded_for_nobody(state.decoded_for_nobody);
  return 0;
}

void on_stream_frame(Stream& stream, const nghttp2_frame& frame) {
  const bool end = (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  stream.on_frame(kFrameHeader + frame.hd.length);
  if (frame.hd.type == NGHTTP2_HEADERS) return stream.on_block_end(end);
  if (end) stream.on_end();
}

int on_frame_recv(nghttp2_session* /*session*/, const nghttp2_frame* frame, void* user_data) {
  State& state = state_of(user_data);
  switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
      if (Stream* stream = state.stream(frame->hd.stream_id); stream != nullptr) {
        on_stream_frame(*stream, *frame);
      }
      break;
    case NGHTTP2_RST_STREAM: state.owner->on_reset_received(); break;
    case NGHTTP2_PING:
      if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) state.owner->on_ping_ack();
      break;
    case NGHTTP2_GOAWAY:
      state.owner->on_goaway(frame->goaway.last_stream_id,
                             static_cast<Code>(frame->goaway.error_code));
      break;
    case NGHTTP2_SETTINGS:
      if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) state.owner->on_settings();
      break;
    default: break;
  }
  return 0;
}

int on_data_chunk(nghttp2_session* session, std::uint8_t /*flags*/, std::int32_t id,
                  const std::uint8_t* data, std::size_t size, void* user_data) {
  const State& state = state_of(user_data);
  if (state.shared_window) nghttp2_session_consume_connection(session, size);
  Stream* stream = state.stream(id);
  if (stream != nullptr) {
    stream->on_data(view_of(data, size));
  } else {
    state.consume(id, size);  // nobody will
  }
  return 0;
}

int on_stream_close(nghttp2_session* /*session*/, std::int32_t id, std::uint32_t code,
                    void* user_data) {
  Stream* stream = state_of(user_data).stream(id);
  if (stream != nullptr) stream->on_closed(static_cast<Code>(code));
  return 0;
}

ssize_t read_data(nghttp2_session* /*session*/, std::int32_t /*id*/, std::uint8_t* /*buffer*/,
                  std::size_t most, std::uint32_t* flags, nghttp2_data_source* source,
                  void* user_data) {
  State& state = state_of(user_data);
  if (state.out->size() >= Session::kGatherLimit) return NGHTTP2_ERR_PAUSE;
  auto& stream = *static_cast<Stream*>(source->ptr);
  const auto piece = stream.next_piece(std::min(most, stream.max_frame()));
  if (!piece) return NGHTTP2_ERR_DEFERRED;
  constexpr std::size_t kSmall = 1024;
  state.cut_by_window = piece->size == most && most < kSmall;
  *flags = NGHTTP2_DATA_FLAG_NO_COPY;
  if (piece->end) *flags |= NGHTTP2_DATA_FLAG_EOF;
  return static_cast<ssize_t>(piece->size);
}

int send_data(nghttp2_session* /*session*/, nghttp2_frame* frame, const std::uint8_t* header,
              std::size_t size, nghttp2_data_source* source, void* user_data) {
  State& state = state_of(user_data);
  auto& stream = *static_cast<Stream*>(source->ptr);
  const bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  state.append(view_of(header, kFrameHeader));
  state.append(stream.take_piece(size, kFrameHeader + size, end));
  state.owner->on_data_sent(size, state.cut_by_window);
  return 0;
}

// Before nghttp2 draws its conclusions: a stream that ends by this frame is still known.
int on_frame_send(nghttp2_session* /*session*/, const nghttp2_frame* frame, void* user_data) {
  State& state = state_of(user_data);
  switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
      if (Stream* stream = state.stream(frame->hd.stream_id); stream != nullptr) {
        stream->on_head_sent((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0);
        state.head_sent = stream;
      }
      break;
    case NGHTTP2_RST_STREAM: {
      const Stream* stream = state.stream(frame->hd.stream_id);
      state.note_own_reset(frame->hd.stream_id);
      state.owner->on_reset_sent(stream != nullptr && stream->reset_is_own());
      break;
    }
    case NGHTTP2_GOAWAY:
      state.goaway_sent = true;
      state.owner->on_goaway_sent();
      if (frame->goaway.error_code != NGHTTP2_NO_ERROR) {
        state.owner->on_failed(nghttp2_http2_strerror(frame->goaway.error_code));
      }
      break;
    default: break;
  }
  return 0;
}

int on_frame_not_send(nghttp2_session* /*session*/, const nghttp2_frame* frame, int /*error*/,
                      void* user_data) {
  if (frame->hd.type != NGHTTP2_HEADERS) return 0;
  Stream* stream = state_of(user_data).stream(frame->hd.stream_id);
  if (stream != nullptr) stream->on_head_not_sent();
  return 0;
}

// For as long as the program runs, like the options below.
nghttp2_session_callbacks* callbacks() {
  static nghttp2_session_callbacks* const made = [] {
    nghttp2_session_callbacks* result = nullptr;
    CHECK(nghttp2_session_callbacks_new(&result) == 0);
    nghttp2_session_callbacks_set_on_begin_frame_callback(result, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(result, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(result, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(result, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(result, on_data_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(result, on_stream_close);
    nghttp2_session_callbacks_set_send_data_callback(result, send_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(result, on_frame_send);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(result, on_frame_not_send);
    return result;
  }();
  return made;
}

constexpr std::size_t kMaxOwnHead = 256 * 1024;
constexpr std::size_t kNoLimit = 1'000'000;

nghttp2_option* options() {
  static nghttp2_option* const made = [] {
    nghttp2_option* result = nullptr;
    CHECK(nghttp2_option_new(&result) == 0);
    nghttp2_option_set_no_auto_window_update(result, 1);
    nghttp2_option_set_no_http_messaging(result, 1);
    nghttp2_option_set_no_closed_streams(result, 1);
    nghttp2_option_set_max_send_header_block_length(result, kMaxOwnHead);
    nghttp2_option_set_max_continuations(result, kNoLimit);  // FrameWatch's are what holds
    nghttp2_option_set_stream_reset_rate_limit(result, kNoLimit, kNoLimit);
    nghttp2_option_set_max_outbound_ack(result, kNoLimit);  // Limits::max_queued_frames
    nghttp2_option_set_builtin_recv_extension_type(result, NGHTTP2_PRIORITY_UPDATE);
    return result;
  }();
  return made;
}

nghttp2_mem memory_of(SessionMemory& memory) noexcept {
  using Memory = SessionMemory;
  return {
      .mem_user_data = &memory,
      .malloc = [](std::size_t size, void* of) { return static_cast<Memory*>(of)->allocate(size); },
      .free = [](void* block, void* of) { static_cast<Memory*>(of)->free(block); },
      .calloc = [](std::size_t count, std::size_t size,
                   void* of) { return static_cast<Memory*>(of)->allocate_zeroed(count, size); },
      .realloc = [](void* block, std::size_t size,
                    void* of) { return static_cast<Memory*>(of)->reallocate(block, size); }};
}

void submit_settings(nghttp2_session* session, Session::Side side, const Limits& limits) {
  std::array<nghttp2_settings_entry, 8> entries{};
  std::size_t count = 0;
  const auto add = [&](std::int32_t id, std::size_t value) {
    entries[count++] = {.settings_id = id, .value = static_cast<std::uint32_t>(value)};
  };
  // RFC 9113 §6.5.2 counts 32 bytes for each field.
  add(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits.max_total + 32 * limits.max_fields);
  add(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits.stream_window);
  add(NGHTTP2_SETTINGS_MAX_FRAME_SIZE, limits.max_frame_size);
  add(NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, limits.header_table_size);
  if (side == Session::Side::server) {
    add(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.max_streams);
    add(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1);
    add(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1);
  } else {
    add(NGHTTP2_SETTINGS_ENABLE_PUSH, 0);
  }
  CHECK(nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, entries.data(), count) == 0);
  CHECK(nghttp2_session_set_local_window_size(
            session, NGHTTP2_FLAG_NONE, 0, static_cast<std::int32_t>(limits.connection_window)) ==
        0);
}

// The bytes of a head, for the access log.
void count_head_bytes(State& state, std::string_view frame) {
  const auto type = static_cast<FrameType>(frame[3]);
  if (type != FrameType::headers && type != FrameType::continuation) return;
  const auto id = static_cast<std::int32_t>(read_u32(frame.substr(5)) & 0x7fffffffU);
  Stream* stream = state.head_sent != nullptr ? state.head_sent : state.stream(id);
  if (stream != nullptr) stream->count_head_bytes(frame.size());
  state.head_sent = nullptr;
}

}  // namespace

void Session::Nghttp2::append(std::string_view bytes) {
  if (bytes.size() > out->writable().size()) out->grow(out->size() + bytes.size());
  out->append(bytes);
}

void Session::Nghttp2::note_own_reset(std::int32_t id) {
  const std::size_t place = own_reset_count++ % kOwnResets;
  if (place == own_resets.size()) return own_resets.push_back(id);
  own_resets[place] = id;
}

nghttp2_data_provider Session::Nghttp2::data_of(Stream& stream) noexcept {
  nghttp2_data_provider provider{};
  provider.source.ptr = &stream;
  provider.read_callback = read_data;
  return provider;
}

void Session::Nghttp2::consume(std::int32_t id, std::size_t size) const noexcept {
  if (shared_window) {
    nghttp2_session_consume_stream(session, id, size);
  } else {
    nghttp2_session_consume(session, id, size);
  }
}

Session::Session(Side side, const Limits& limits, SessionOwner& owner)
    : nghttp2_(std::make_unique<Nghttp2>()) {
  nghttp2_->shared_window = side == Side::client;
  nghttp2_->owner = &owner;
  const auto make =
      side == Side::server ? nghttp2_session_server_new3 : nghttp2_session_client_new3;
  nghttp2_mem memory = memory_of(nghttp2_->memory);
  CHECK(make(&nghttp2_->session, callbacks(), nghttp2_.get(), options(), &memory) == 0);
  submit_settings(nghttp2_->session, side, limits);
}

Session::~Session() { nghttp2_session_del(nghttp2_->session); }

bool Session::feed(std::string_view bytes) noexcept {
  const ssize_t taken = nghttp2_session_mem_recv(
      nghttp2_->session, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (taken < 0) nghttp2_->owner->on_failed(nghttp2_strerror(static_cast<int>(taken)));
  return taken >= 0 && nghttp2_session_want_read(nghttp2_->session) != 0;
}

bool Session::gather(io::Buffer& out) noexcept {
  nghttp2_->out = &out;
  while (out.size() < kGatherLimit) {
    const std::uint8_t* data = nullptr;
    const ssize_t size = nghttp2_session_mem_send(nghttp2_->session, &data);
    if (size < 0) {
      nghttp2_->owner->on_failed(nghttp2_strerror(static_cast<int>(size)));
      return false;
    }
    if (size == 0) break;
    const std::string_view frame = view_of(data, static_cast<std::size_t>(size));
    // A client's first bytes are its preface, and no frame.
    if (frame.size() >= kFrameHeader && frame[0] != 'P') count_head_bytes(*nghttp2_, frame);
    nghttp2_->append(frame);
  }
  nghttp2_->out = nullptr;
  return true;
}

void Session::resume(const Stream& stream) noexcept {
  nghttp2_session_resume_data(nghttp2_->session, stream.id());
}

void Session::reset(std::int32_t id, Code code) noexcept {
  nghttp2_submit_rst_stream(nghttp2_->session, NGHTTP2_FLAG_NONE, id,
                            static_cast<std::uint32_t>(code));
}

void Session::forget(std::int32_t id) noexcept {
  nghttp2_session_set_stream_user_data(nghttp2_->session, id, nullptr);
}

void Session::consume(std::int32_t id, std::size_t size) noexcept { nghttp2_->consume(id, size); }

void Session::set_priority(std::int32_t id, Priority priority) noexcept {
  const nghttp2_extpri wanted{.urgency = priority.urgency, .inc = priority.incremental ? 1 : 0};
  nghttp2_session_change_extpri_stream_priority(nghttp2_->session, id, &wanted, 0);
}

void Session::ping() noexcept {
  nghttp2_submit_ping(nghttp2_->session, NGHTTP2_FLAG_NONE, nullptr);
}

void Session::shutdown_notice() noexcept { nghttp2_submit_shutdown_notice(nghttp2_->session); }

void Session::goaway() noexcept {
  nghttp2_submit_goaway(nghttp2_->session, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(nghttp2_->session),
                        NGHTTP2_NO_ERROR, nullptr, 0);
}

void Session::terminate(Code code) noexcept {
  nghttp2_session_terminate_session(nghttp2_->session, static_cast<std::uint32_t>(code));
}

bool Session::wants_write() const noexcept {
  return nghttp2_session_want_write(nghttp2_->session) != 0;
}

std::size_t Session::queued() const noexcept {
  return nghttp2_session_get_outbound_queue_size(nghttp2_->session);
}

std::uint32_t Session::peer_max_streams() const noexcept {
  return nghttp2_session_get_remote_settings(nghttp2_->session,
                                             NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

bool Session::peer_allows_extended_connect() const noexcept {
  return nghttp2_session_get_remote_settings(nghttp2_->session,
                                             NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

}  // namespace http::h2
