// Subrequest: a request that the configuration makes for a client's, as auth_request and mirror do.
//
// It is a child exchange: it goes through the phases of its own path, without those that ask who
// the client is (access, passwords: its parent has passed them). It has the client's connection and
// fields; nothing of it reaches the client but what its sink makes of its body. Whoever makes one
// runs it in a scope of its own and watches the client, if that is wanted.
//
// As in nginx it is a GET without a body, and the variables that `set` gives values to are its
// parent's; a copy (mirror) has the client's method and body, and variables of its own, since it
// runs beside its parent. What the client said of its own copy of the page (If-*, Range) is not
// true of a part, and is left out, unless under `compat nginx`.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "async/task.h"
#include "exchange/exchange.h"
#include "http/body.h"
#include "http/body_sink.h"
#include "http/responder.h"
#include "proxy/context.h"
#include "proxy/request_body.h"

namespace proxy {

/// How deep subrequests may stand within one another: nginx's limit.
inline constexpr unsigned kMaxSubrequestDepth = 50;

/// Counts one more for the client's request. False, counted and logged: max_subrequests is reached,
/// or they stand too deep.
[[nodiscard]] bool take_subrequest(Context& parent, std::string_view path);

/// A request without a body, or one that is held by its Context.
class NoBody final : public http::Body {
 public:
  explicit NoBody(base::Arena& arena) noexcept : trailers_(arena) {}
  [[nodiscard]] async::Task<base::Result<std::string_view>> read(base::Deadline deadline) override;
  [[nodiscard]] std::optional<base::Result<std::string_view>> try_read() override;
  [[nodiscard]] bool ended() const noexcept override { return true; }
  [[nodiscard]] std::optional<std::uint64_t> length() const noexcept override { return 0; }
  [[nodiscard]] const http::Fields& trailers() const noexcept override { return trailers_; }

 private:
  http::Fields trailers_;
};

/// Takes a response that is not a client's: its head is dropped, its body goes to a sink.
class PartResponder final : public http::Responder {
 public:
  /// null: the body is dropped, too. The sink is never told an end: more may follow.
  explicit PartResponder(http::BodySink* sink) noexcept : sink_(sink) {}

  [[nodiscard]] async::Task<base::Result<void>> send_interim(const http::ResponseHead& head,
                                                             io::Patience patience) override;
  [[nodiscard]] async::Task<base::Result<void>> send_head(const http::ResponseHead& head,
                                                          std::string_view first, http::End end,
                                                          io::Patience patience) override;
  [[nodiscard]] async::Task<base::Result<void>> send_body(std::string_view piece, http::End end,
                                                          io::Patience patience) override;
  [[nodiscard]] bool sends_files() const noexcept override { return false; }
  [[nodiscard]] async::Task<base::Result<void>> send_file(io::FileBytes bytes,
                                                          io::Patience patience) override;
  [[nodiscard]] async::Task<base::Result<void>> finish(const http::Fields& trailers,
                                                       io::Patience patience) override;
  void close_after() noexcept override {}
  void forbid_chunks() noexcept override {}
  [[nodiscard]] bool head_sent() const noexcept override { return head_sent_; }
  [[nodiscard]] bool ended() const noexcept override { return ended_; }
  [[nodiscard]] std::uint64_t bytes_sent() const noexcept override { return bytes_sent_; }
  [[nodiscard]] std::uint64_t head_bytes_sent() const noexcept override { return 0; }
  /// The sink's.
  [[nodiscard]] const std::optional<base::Error>& failure() const noexcept { return failure_; }

 private:
  http::BodySink* sink_;
  std::optional<base::Error> failure_;
  std::uint64_t bytes_sent_ = 0;
  bool head_sent_ = false;
  bool ended_ = false;
};

class Subrequest {
 public:
  struct What {
    std::string_view
        path;  // decoded, or "@name"; lives as long as the parent's exchange, as the next
    std::string_view args{};
    bool is_copy = false;
    bool head_only = false;  // it is over with the head of the response
    bool of_page = false;  // its body goes to the client: it ends when that leaves
    bool leaves_error_pages = false;  // an error of our own gives no text
    bool tells_of_parent =
        false;  // its variables begin with what is known of its parent's response
  };
  /// Of a parent that take_subrequest() allowed it to, and that outlives it.
  Subrequest(Context& parent, What what, http::BodySink* sink = nullptr);

  /// To its end. What became of it is in exchange().
  [[nodiscard]] async::Task<void> run();

  [[nodiscard]] exchange::Exchange& exchange() noexcept { return exchange_; }
  /// The response is whole.
  [[nodiscard]] bool is_whole() const noexcept {
    return responder_.ended() && !context_.is_cut_off;
  }
  [[nodiscard]] bool has_output() const noexcept { return responder_.bytes_sent() > 0; }
  /// For whoever has let its text into a body: an error where that must not end as if it were
  /// whole. The sink's failure is one; that something is missing of a part is none under `compat
  /// nginx`.
  [[nodiscard]] base::Result<void> outcome() const;

 private:
  void tell_of(const Context& parent);
  void tell_parent() noexcept;

  std::string_view named_;  // where it begins, if not by its path
  exchange::Exchange exchange_;
  NoBody nothing_;
  PartResponder responder_;
  RequestBody body_;
  Context context_;
};

}  // namespace proxy
