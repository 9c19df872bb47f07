#include "io/testing/pipe.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

namespace io::testing {
namespace {

// What travels one way. Both ends own it, so that it outlives either.
struct Lane {
  std::string bytes;
  bool ended = false;  // the writer is done
  bool reset = false;
  Waiter* reader = nullptr;
  Waiter* writer = nullptr;
};

class PipeEnd final : public Stream {
 public:
  PipeEnd(EventLoop& loop, PipeOptions options, std::shared_ptr<Lane> in,
          std::shared_ptr<Lane> out) noexcept
      : loop_(loop), options_(options), in_(std::move(in)), out_(std::move(out)) {}

  ~PipeEnd() override {
    if (aborted_) out_->reset = true;
    out_->ended = true;
    in_->reset = true;
    wake_reader();
    wake_writer();
  }

  base::Result<std::size_t> try_read(std::span<char> into) noexcept override {
    if (in_->reset) return base::fail(base::ErrorCode::reset, "recv() failed");
    const std::size_t count = std::min({into.size(), in_->bytes.size(), options_.slice});
    if (count == 0) {
      if (in_->ended) return 0U;
      return base::fail(base::ErrorCode::would_block);
    }
    std::copy_n(in_->bytes.begin(), count, into.begin());
    in_->bytes.erase(0, count);
    wake_writer();
    return count;
  }

  base::Result<std::size_t> try_write(std::span<const iovec> pieces) noexcept override {
    if (out_->reset || out_->ended) return base::fail(base::ErrorCode::reset, "send() failed");
    const std::size_t held = out_->bytes.size();
    std::size_t room =
        std::min(options_.capacity - std::min(held, options_.capacity), options_.slice);
    std::size_t written = 0;
    for (const iovec& piece : pieces) {
      const std::size_t count = std::min(piece.iov_len, room);
      out_->bytes.append(static_cast<const char*>(piece.iov_base), count);
      written += count;
      room -= count;
    }
    if (written == 0) return base::fail(base::ErrorCode::would_block);
    wake_reader();
    return written;
  }

  bool sends_files() const noexcept override { return options_.sends_files; }
  base::Result<std::size_t> try_send_file(const FileBytes& bytes) noexcept override {
    std::string read(std::min<std::uint64_t>(bytes.count, options_.slice), '\0');
    const ssize_t got =
        ::pread(bytes.file, read.data(), read.size(), static_cast<off_t>(bytes.offset));
    if (got < 0) return base::fail(base::error_from_errno(errno, "sendfile() failed"));
    if (got == 0) return 0U;
    const iovec piece{.iov_base = read.data(), .iov_len = static_cast<std::size_t>(got)};
    return try_write({&piece, 1});
  }

  bool may_be_ready(Direction direction) const noexcept override {
    if (direction == Direction::read) return !in_->bytes.empty() || in_->ended || in_->reset;
    return out_->bytes.size() < options_.capacity || out_->ended || out_->reset;
  }
  void set_waiter(Direction direction, Waiter* waiter) noexcept override {
    (direction == Direction::read ? in_->reader : out_->writer) = waiter;
  }
  void shutdown_write() noexcept override {
    out_->ended = true;
    wake_reader();
  }
  void abort() noexcept override { aborted_ = true; }
  bool peer_closed() const noexcept override { return in_->ended || in_->reset; }
  EventLoop& loop() const noexcept override { return loop_; }

 private:
  // By message, as a kernel would: nobody is called in the middle of the other end's attempt.
  void wake_reader() const {
    if (out_->reader == nullptr) return;
    loop_.post([lane = out_] {
      if (lane->reader != nullptr) lane->reader->on_ready();
    });
  }
  void wake_writer() const {
    if (in_->writer == nullptr) return;
    loop_.post([lane = in_] {
      if (lane->writer != nullptr) lane->writer->on_ready();
    });
  }

  EventLoop& loop_;
  PipeOptions options_;
  std::shared_ptr<Lane> in_;
  std::shared_ptr<Lane> out_;
  bool aborted_ = false;
};

}  // namespace

std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> make_pipe(EventLoop& loop,
                                                                      PipeOptions options) {
  auto there = std::make_shared<Lane>();
  auto back = std::make_shared<Lane>();
  return {std::make_unique<PipeEnd>(loop, options, back, there),
          std::make_unique<PipeEnd>(loop, options, there, back)};
}

}  // namespace io::testing
