// Control: the supervisor's own socket, by which commands change what runs. (What only asks goes to
// the admin socket, which the server process answers. The two are apart because the server is the
// process that may be taken over: it must never be able to make the supervisor, who may be root,
// load anything.)
//
//   request   {"command": "reload"}                         read the configuration again
//             {"command": "apply", "file": "/x/new.conf"}   try another one, as long as this
//             connection
//             {"command": "keep"}                           after apply: it stays
//             {"command": "reopen"}                         open the logs anew
//             {"command": "errors"}                         what the supervisor has in memory:SIZE
//   answer    {"ok": true, "generation": 7, "text": "..."}  or {"ok": false, "text": "why"}
//
// One line each, at most 4 KB in a request; each request is answered once its outcome is known. A
// connection that ends before "keep" takes back what it applied: whoever watches a trial may die.
//
// No event loop: the supervisor polls what `append_to` names.
#pragma once

#include <poll.h>
#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

namespace server {

class Control {
 public:
  struct Request {
    // gone: the connection has ended.
    enum class Kind : std::uint8_t { reload, apply, keep, reopen, gone };
    Kind kind;
    std::uint64_t client;
    std::string file{};  // of apply
  };

  Control() = default;
  /// `socket` listens. `owner` may ask, besides root.
  Control(base::Fd socket, uid_t owner) noexcept : socket_(std::move(socket)), owner_(owner) {}

  [[nodiscard]] bool is_open() const noexcept { return static_cast<bool>(socket_); }
  void append_to(std::vector<pollfd>& entries) const;
  /// What has come. Requests that make no sense are answered here.
  [[nodiscard]] std::vector<Request> take();
  /// Answers a request; nothing happens if the client is gone.
  void answer(std::uint64_t client, bool ok, std::uint64_t generation, std::string_view text);

 private:
  struct Client {
    std::uint64_t number;
    base::Fd socket;
    std::string line{};
  };
  void accept();
  /// False when the connection is over.
  [[nodiscard]] bool read(Client& client, std::vector<Request>& requests);
  void understand(Client& client, std::string_view line, std::vector<Request>& requests);

  base::Fd socket_;
  uid_t owner_ = 0;
  std::uint64_t last_ = 0;
  std::vector<Client> clients_;
};

}  // namespace server
