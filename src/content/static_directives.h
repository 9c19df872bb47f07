// root, alias, index, types, sendfile and their kind: what of a disk is served.
//
// StaticOptions is what blocks say, inherited as in nginx; StaticPlan is what was compiled from it,
// for each server and location. Nothing is served where nobody said `root` or `alias`: nginx's
// default root (html, beside its own files) would publish a directory that nobody chose. It is
// there under `compat nginx`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "config/directive.h"
#include "content/media_types.h"
#include "content/preconditions.h"
#include "script/value.h"

namespace content {

/// inside: a symbolic link may lead anywhere beneath the root, and nowhere else. anywhere: nginx's
/// way; whoever may write into a root can publish any file that the server can read.
enum class FollowSymlinks : std::uint8_t { inside, anywhere };

/// disable_symlinks: whether a path may have links in it at all. on: none; if_not_owner: those
/// whose owner owns what they lead to. Either decides alone then, whatever follow_symlinks says.
enum class DisableSymlinks : std::uint8_t { off, on, if_not_owner };

/// What links a path may have in it.
struct LinkRule {
  FollowSymlinks follow = FollowSymlinks::inside;
  DisableSymlinks disable = DisableSymlinks::off;
};

struct DisableSymlinksSetting {
  DisableSymlinks mode = DisableSymlinks::off;
  std::optional<config::Word> from{};  // the beginning of paths where links are free
};

/// `root PATH` or `alias PATH`.
struct RootSetting {
  config::Word path;  // a full name, unless it begins with a variable
  std::string prefix{};  // what relative values begin from
  bool alias = false;
  const config::Level* level = nullptr;  // where it stands
};

struct StaticOptions {
  static constexpr std::uint64_t kMaxRanges = 32;  // compat nginx: no limit but kMost
  static constexpr std::uint64_t kMost = 10'000;

  config::Setting<RootSetting> root;
  config::Setting<std::vector<config::Word>> index;
  config::Setting<std::shared_ptr<const MediaTypes>> types;
  config::Setting<FollowSymlinks> follow_symlinks{
      FollowSymlinks::inside};  // compat nginx: anywhere
  config::Setting<DisableSymlinksSetting> disable_symlinks;
  config::Setting<std::uint64_t> max_ranges{kMaxRanges};
  config::Setting<bool> sendfile{true};  // compat nginx: off
  config::Setting<bool> etag{true};
  config::Setting<ModifiedSince> if_modified_since{ModifiedSince::exact};

  auto settings(this auto& self) {
    return std::tie(self.root, self.index, self.types, self.follow_symlinks, self.disable_symlinks,
                    self.max_ranges, self.sendfile, self.etag, self.if_modified_since);
  }
};

extern const config::Feature kStaticFeature;

struct StaticPlan {
  script::Value path;  // of the root, without a slash at its end, or of the alias
  std::string prefix;  // what a relative value begins from
  bool alias = false;
  bool whole = false;  // the value is the path of the file itself: alias with a regular expression
  std::size_t replaced = 0;  // bytes of the URI that an alias stands for
  std::vector<script::Value> index;
  LinkRule links;
  std::optional<script::Value> links_free_in{};  // disable_symlinks from=
  std::uint64_t max_ranges = 0;
  bool sendfile = true;
  bool etag = true;
  ModifiedSince if_modified_since = ModifiedSince::exact;
};

/// What the floors above know.
struct StaticSurroundings {
  /// Of a location block.
  struct Location {
    std::size_t name_size = 0;
    bool regex = false;
    bool named = false;
  };
  script::Variables& variables;
  config::Diagnostics& diagnostics;
  bool compat_nginx = false;
  std::string default_root{};  // under compat nginx
  Location (*location_of)(const config::Level& level) = nullptr;
};

/// Gives the level its plan, if it has a root. The levels around it first.
void provision_static(config::Level& level, const StaticSurroundings& around);

/// The Content-Type by `types`; empty: the default one.
[[nodiscard]] std::string_view media_type(const config::Level& level, std::string_view path);

}  // namespace content
