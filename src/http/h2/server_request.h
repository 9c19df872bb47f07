// ServerRequest: a ServerStream as the server's side makes it. Begins with the first frame of its
// head; goes when nghttp2 has closed the stream and its handler has returned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "async/frame_pool.h"
#include "async/intrusive_list.h"
#include "base/arena.h"
#include "http/h2/field_rules.h"
#include "http/h2/request_fields.h"
#include "http/h2/response_writer.h"
#include "http/h2/server_connection.h"
#include "http/h2/server_stream.h"
#include "http/h2/stream.h"
#include "http/h2/stream_body.h"

namespace http::h2 {

/// In the list of all.
class ListedRequest : public async::Link {};
/// Its head is complete, its handler has not been called yet.
class ReadyRequest : public async::Link {};

class ServerRequest final : public ServerStream,
                            public Stream,
                            public ListedRequest,
                            public ReadyRequest {
 public:
  class Owner {
   public:
    /// The head is complete and sound, or has a refusal.
    virtual void on_request(ServerRequest& request) noexcept = 0;
    virtual void on_malformed(std::string_view rule) noexcept = 0;
    /// nghttp2 has closed its stream.
    virtual void on_closed(ServerRequest& request) noexcept = 0;

   protected:
    ~Owner() = default;
  };

  ServerRequest(Connection& connection, ServerConnection& shown, Owner& owner, std::int32_t id);
  ~ServerRequest() override;
  static void* operator new(std::size_t size) { return async::allocate_frame(size); }
  static void operator delete(void* request, std::size_t size) noexcept {
    async::free_frame(request, size);
  }

  // ServerStream
  [[nodiscard]] std::int32_t id() const noexcept override { return Stream::id(); }
  [[nodiscard]] RequestHead& head() noexcept override { return head_; }
  [[nodiscard]] base::Arena& arena() noexcept override { return arena_; }
  [[nodiscard]] Refusal refusal() const noexcept override { return fields_.refusal(); }
  [[nodiscard]] Body& body() noexcept override { return body_; }
  [[nodiscard]] Responder& responder() noexcept override { return writer_; }
  [[nodiscard]] io::Stream& client() noexcept override { return *this; }
  [[nodiscard]] ServerConnection& connection() noexcept override { return shown_; }
  [[nodiscard]] base::TimePoint began() const noexcept override { return began_; }
  [[nodiscard]] std::uint64_t bytes_received() const noexcept override {
    return Stream::bytes_received();
  }

  // Stream
  void on_block(Block block) noexcept override;
  void on_field(std::string_view name, std::string_view value) noexcept override;
  void on_block_end(bool end_stream) noexcept override;
  void on_closed(Code code) noexcept override {
    Stream::on_closed(code);
    owner_.on_closed(*this);
  }

  /// The connection is over. What has come whole may still be read, a tunnel's last bytes above
  /// all.
  void lose_connection(const base::Error& error) noexcept {
    if (receive_ended()) return fail_sending(error);
    fail(error);
  }
  void set_running(bool running) noexcept { running_ = running; }
  [[nodiscard]] bool running() const noexcept { return running_; }
  /// It takes a place among the streams no more. True: it did until now.
  [[nodiscard]] bool leave_place() noexcept { return std::exchange(has_place_, false); }

 private:
  void malform(std::string_view rule) noexcept;

  ServerConnection& shown_;
  Owner& owner_;
  base::Arena arena_;
  RequestHead head_;
  RequestFields fields_;
  Fields trailers_;
  TrailerFields trailer_fields_;
  StreamBody body_;
  ResponseWriter writer_;
  base::TimePoint began_;
  std::size_t charged_ = 0;
  Method method_ = Method::other;  // also after the head was moved from
  bool in_trailers_ = false;
  bool running_ = false;
  bool has_place_ = true;
};

}  // namespace http::h2
