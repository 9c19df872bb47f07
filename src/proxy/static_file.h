// Files of a disk as answers: what nginx's index and static modules do.
//
//   /dir/    the first index file that is there, by an internal redirect; else a list of the
//            directory (autoindex), or 403
//   /dir     301 to /dir/
//   /file    200, 206, 304, 412 or 416 (preconditions.h, byte_ranges.h)
//
// GET, HEAD and POST are looked for; a POST to a file that is there, and every other method, is
// 405. A small file leaves in one write with its head. A large one is sent by the kernel (sendfile)
// where the connection is not encrypted, else read into one buffer a piece at a time; either way no
// more than kTurn bytes before others have their turn.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "async/task.h"
#include "content/byte_ranges.h"
#include "content/file.h"
#include "content/static_directives.h"
#include "proxy/context.h"

namespace proxy {

/// A file that is to be sent: open, and the response to it decided.
struct FileToSend {
  content::File file;
  std::string_view shown;  // its path, for the error log
  std::span<const content::ByteRange> ranges;
  std::span<const std::string_view> before;  // each range, where there are several: the part's head
  std::string_view after;  // the last one
  std::uint64_t length = 0;  // of all that is sent
};

/// One of three: an answer of our own, a file, or (neither) an internal redirect: context.reroute.
struct StaticContent {
  std::optional<Answer> answer;
  std::optional<FileToSend> file;
};

[[nodiscard]] async::Task<StaticContent> find_static(Context& context,
                                                     const content::StaticPlan& plan);

/// Whether the error log hears of it when nothing stands there (log_not_found).
enum class NotFound : std::uint8_t { told, silent };

/// nginx's answer to what the kernel refused, logged in its words: `call` is "open()", `shown` the
/// path.
[[nodiscard]] Answer refuse_file(Context& context, const base::Error& error, std::string_view shown,
                                 std::string_view call, NotFound not_found = NotFound::told);

/// Sends the file's response. Failures are counted and logged here. Gives an answer where nothing
/// has been sent and the client can still be told.
[[nodiscard]] async::Task<std::optional<Answer>> send_static(Context& context,
                                                             const content::StaticPlan& plan,
                                                             const FileToSend& to_send);

}  // namespace proxy
