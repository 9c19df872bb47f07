#include "proxy/held_body.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/random.h"
#include "io/socket.h"

namespace proxy {
namespace {

// How long a body waits for a descriptor that its file needs.
constexpr std::chrono::seconds kShortagePatience{10};

}  // namespace

namespace {

// Most bodies fit into the smallest buffer, most others into this; then sizes double.
constexpr std::size_t kSecondSize = 16 * 1024;

}  // namespace

async::Task<base::Result<void>> HeldBody::hold(RequestBody& body) {
  while (true) {
    CO_TRY(const std::string_view piece, co_await body.read());
    if (piece.empty()) co_return base::Result<void>{};
    auto kept = append(piece);
    io::EventLoop& loop = body.loop();
    const base::Deadline patience = loop.now() + kShortagePatience;
    while (!kept && base::is_descriptor_shortage(kept.error()) && loop.now() < patience &&
           loop.relieve()) {
      CO_TRY_VOID(co_await io::sleep_until(loop, loop.now() + io::EventLoop::kReliefPause));
      kept = append(piece);
    }
    CO_TRY_VOID(kept);
  }
}

base::Result<void> HeldBody::append(std::string_view piece) {
  const std::size_t needed = memory_.size() + piece.size();
  if (!file_ && needed <= place_.in_memory && !place_.always) {
    if (needed > memory_.capacity()) {
      memory_.grow(needed <= io::Buffer::kSmall ? io::Buffer::kSmall
                                                : std::max(kSecondSize, 2 * needed));
    }
    memory_.append(piece);
    size_ += piece.size();
    return {};
  }
  if (!file_) {
    TRY_VOID(open_file());
    TRY_VOID(write_to_file(memory_.readable()));
    memory_.release();
  }
  TRY_VOID(write_to_file(piece));
  size_ += piece.size();
  return {};
}

base::Result<void> HeldBody::open_file() {
  const std::string directory(place_.directory);
  if (!place_.named) {
    file_ = base::Fd(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  } else {
    std::array<std::uint8_t, 10> random{};
    base::fill_random(random);
    name_ = directory + "/";
    for (const std::uint8_t byte : random) name_ += fmt::format("{:02}", byte % 100);
    file_ = base::Fd(::open(name_.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600));
  }
  if (file_) return {};
  const int error = errno;
  name_.clear();
  return base::fail(base::error_from_errno(error, "no temporary file for the request's body"));
}

HeldBody::~HeldBody() {
  if (!name_.empty() && !place_.kept) static_cast<void>(::unlink(name_.c_str()));
}

base::Result<void> HeldBody::write_to_file(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(file_.get(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      return base::fail(base::error_from_errno(errno, "writing the request's body to a file"));
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

base::Result<std::string_view> HeldBody::piece_at(std::uint64_t offset, io::Buffer& buffer) const {
  if (!file_) return memory_.readable().substr(std::min<std::size_t>(offset, memory_.size()));
  buffer.grow(io::Buffer::kLarge);
  buffer.clear();
  while (true) {
    const std::span<char> room = buffer.writable();
    const ssize_t got = ::pread(file_.get(), room.data(), room.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return base::fail(base::error_from_errno(errno, "reading the request's body from its file"));
    }
    buffer.commit(static_cast<std::size_t>(got));
    return buffer.readable();
  }
}

}  // namespace proxy
