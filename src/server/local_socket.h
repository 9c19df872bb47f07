// Local sockets: the Unix sockets by which an instance is asked (admin.h) and told (control.h)
// things. Mode 0600, and whoever is at the other end must be root or the user who started the
// program. Requests and answers are lines.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <expected>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace server {

/// Binds and listens with mode 0600. A socket that nobody serves any more is replaced. Paths longer
/// than sockaddr_un allows work: the last part is bound from within its directory.
[[nodiscard]] base::Result<base::Fd> open_local_socket(const std::string& path);

/// Whether the process at the other end is root's or `owner`'s.
[[nodiscard]] bool may_ask(int socket, uid_t owner);

/// The asking end. Calls block; errors are sentences.
class LocalClient {
 public:
  [[nodiscard]] static std::expected<LocalClient, std::string> connect(const std::string& path);

  /// Sends one line, without its line feed.
  [[nodiscard]] std::expected<void, std::string> send(std::string_view line);
  /// The next line of the other end, within `patience`.
  [[nodiscard]] std::expected<std::string, std::string> receive(std::chrono::seconds patience);
  void close() noexcept { socket_.close(); }

 private:
  LocalClient(base::Fd socket, std::string path);
  [[nodiscard]] std::unexpected<std::string> failure(std::string_view call) const;

  base::Fd socket_;
  std::string path_;
  std::string received_;
};

}  // namespace server
