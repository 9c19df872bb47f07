#include "observe/journal.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <optional>

#include "base/text.h"

namespace observe {
namespace {

struct Stream {
  dev_t device;
  ino_t inode;
};

std::optional<Stream> stream_of_environment() {
  const char* const value = ::getenv("JOURNAL_STREAM");
  const std::string_view text = value != nullptr ? value : "";
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto device = base::parse_number<dev_t>(text.substr(0, colon));
  const auto inode = base::parse_number<ino_t>(text.substr(colon + 1));
  if (!device || !inode) return std::nullopt;
  return Stream{.device = *device, .inode = *inode};
}

/// Of a line "sallyport: [LEVEL] ...".
std::optional<Level> level_of(std::string_view line) noexcept {
  constexpr std::string_view kBegin = "sallyport: [";
  if (!line.starts_with(kBegin)) return std::nullopt;
  line.remove_prefix(kBegin.size());
  const std::size_t end = line.find(']');
  return end == std::string_view::npos ? std::nullopt : parse_level(line.substr(0, end));
}

}  // namespace

bool stderr_is_journal() noexcept {
  static const std::optional<Stream> stream = stream_of_environment();
  struct stat status{};
  return stream && ::fstat(STDERR_FILENO, &status) == 0 && status.st_dev == stream->device &&
         status.st_ino == stream->inode;
}

std::string_view journal_mark(Level level) noexcept {
  constexpr std::array<std::string_view, 8> kMarks = {"<1>", "<1>", "<2>", "<3>",
                                                      "<4>", "<5>", "<6>", "<7>"};
  return kMarks[static_cast<std::size_t>(level)];
}

std::string mark_lines(std::string_view text) {
  std::string marked;
  std::string_view mark;
  while (!text.empty()) {
    const std::size_t feed = text.find('\n');
    const std::string_view line =
        text.substr(0, feed == std::string_view::npos ? text.size() : feed + 1);
    if (const auto level = level_of(line)) mark = journal_mark(*level);
    marked += mark;
    marked += line;
    text.remove_prefix(line.size());
  }
  return marked;
}

std::string for_stderr(std::string text) {
  return stderr_is_journal() ? mark_lines(text) : std::move(text);
}

}  // namespace observe
