// FileSource: where the text and the files that a configuration names come from. One interpreter
// runs over it: the disk in the supervisor and in `check`, received descriptors in the server,
// memory in tests. Nothing else in the program opens a file that the configuration names. Host
// names that must be known at load are looked up here, too, so that a server process that comes
// back while the name servers are down is given what was found before.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace config {

/// Why a file is opened: it decides the directory that a relative path begins from, the flags, and
/// the checks of owner and mode.
enum class Purpose : std::uint8_t {
  config,                // an include
  certificate,           // a chain, PEM
  key,                   // a private key: a regular file that only its owner reads
  trusted_certificates,  // authorities, CRLs
  list,                  // other data that is read at load: passwords, parameters, lists
  log_append,            // created if missing; opened for appending, without blocking
  place,                 // only named here, never opened: root, pid, a socket
};

/// "configuration file", "private key", ...: for messages.
[[nodiscard]] std::string_view name_of(Purpose purpose) noexcept;

/// The directories that relative paths begin from, as in nginx: logs and places from the prefix,
/// all else from the main configuration file's directory.
struct Prefixes {
  std::string prefix;
  std::string config;
  [[nodiscard]] std::string full_name(std::string_view path, Purpose purpose) const;
};

struct KeyPolicy {
  enum class IfExposed : std::uint8_t { refuse, warn };  // warn: under `compat nginx`
  IfExposed if_exposed = IfExposed::refuse;
  std::optional<gid_t> group{};  // key_group
};

class FileSource {
 public:
  virtual ~FileSource() = default;

  /// The whole file; at most kMaxText bytes, else `too_large`.
  [[nodiscard]] virtual base::Result<std::string> read_text(std::string_view path,
                                                            Purpose purpose) = 0;
  /// A descriptor of the caller's own. Those of one path share their file offset: read with pread.
  [[nodiscard]] virtual base::Result<base::Fd> open(std::string_view path, Purpose purpose) = 0;
  /// Full names of the files that match, sorted. None is not an error.
  [[nodiscard]] virtual base::Result<std::vector<std::string>> glob(std::string_view pattern) = 0;
  /// The addresses of a host, without a port, in the system's order. Errors: not_found. Blocks: it
  /// is for the few names that are resolved when the configuration is loaded.
  [[nodiscard]] virtual base::Result<std::vector<std::string>> resolve(std::string_view host) = 0;
  /// The full name that a path from the configuration stands for.
  [[nodiscard]] virtual std::string full_name(std::string_view path, Purpose purpose) const = 0;

  /// Known only after the configuration was parsed; keys are opened later. Nothing to do for
  /// sources whose files were checked already.
  virtual void set_key_policy(const KeyPolicy& /*policy*/) {}

  /// What was let pass but should be told, since the last call.
  [[nodiscard]] virtual std::vector<std::string> take_warnings() { return {}; }

  static constexpr std::size_t kMaxText = std::size_t{64} << 20;
};

/// nginx's words for a file that could not be opened or was refused:
/// `open() "/etc/x" failed (2: No such file or directory)`.
[[nodiscard]] std::string describe_failure(std::string_view full_name, const base::Error& error);
/// What to do about it; empty if there is no advice.
[[nodiscard]] std::string advice_for(std::string_view full_name, const base::Error& error);

// Contexts of the errors for files that exist and are refused.
inline constexpr std::string_view kNotRegular = "is not a regular file";
inline constexpr std::string_view kOpenToEveryone = "can be read or written by everyone";
inline constexpr std::string_view kOpenToGroup = "can be read or written by its group";
inline constexpr std::string_view kTooLarge = "is too large";
inline constexpr std::string_view kWithheld = "was not handed to this process";

/// Everything from the beginning of a regular file, wherever its offset stands.
[[nodiscard]] base::Result<std::string> read_all(const base::Fd& fd, std::size_t limit);

}  // namespace config
