// `autoindex` and its kind: the list of a directory, in nginx's bytes; and `random_index`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>

#include "base/clock.h"
#include "config/directive.h"
#include "content/directory.h"

namespace content {

struct AutoindexOptions {
  enum class Format : std::uint8_t { html, xml, json, jsonp };
  static constexpr std::uint64_t kMaxEntries = 10'000;  // compat nginx: kMost
  static constexpr std::uint64_t kMost = 1'000'000;

  config::Setting<bool> enabled{false};
  config::Setting<bool> exact_size{true};
  config::Setting<bool> local_time{false};
  config::Setting<Format> format{Format::html};
  config::Setting<std::uint64_t> max_entries{kMaxEntries};

  auto settings(this auto& self) {
    return std::tie(self.enabled, self.exact_size, self.local_time, self.format, self.max_entries);
  }
};

/// Of a location, and of those in it.
struct RandomIndexOptions {
  config::Setting<bool> enabled{false};
  auto settings(this auto& self) { return std::tie(self.enabled); }
};

extern const config::Feature kAutoindexFeature;

/// Whether a client may name such a function: letters, digits, '_' and '.', 128 of them.
[[nodiscard]] bool is_callback_name(std::string_view name) noexcept;

struct DirectoryPage {
  std::string_view type;  // Content-Type
  std::string text;
};

/// What is counted of names in html, where they are padded and cut: characters, if the page is said
/// to be UTF-8.
enum class Names : std::uint8_t { bytes, utf8 };

/// The page of `directory`, which is sorted by this: directories first, then by the bytes of names.
/// `uri` is the decoded path. `callback` counts for jsonp alone; without one it is json.
[[nodiscard]] DirectoryPage make_directory_page(const AutoindexOptions& options,
                                                std::string_view uri, std::string_view callback,
                                                Directory& directory, Names names,
                                                base::WallTime now);

}  // namespace content
