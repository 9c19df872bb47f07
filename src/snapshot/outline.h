// Outline: a configuration as a list of things that are configured, each with the settings that are
// in effect for it. Two configurations that do the same have the same outline: comments, layout,
// includes, and the level at which a setting stands make no difference, nor does a setting that
// says what holds anyway. difference.h compares two.
//
// Inheritance is nginx's: a directive at an inner level replaces all of its name from outside.
// Which directives pass on follows from the tables (the contexts of a directive, and whether its
// feature inherits); the few exceptions of nginx's are listed in outline.cc.
//
// Plain data that refers to nothing else. Each text is kept once, an item has numbers of them: with
// 10,000 servers the outline takes a fraction of a second and some megabytes.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace config {
class Level;
}

namespace snapshot {

class Snapshot;

/// In the order in which people want to read them.
enum class ItemKind : std::uint8_t { process, listener, certificate, upstream, server, location };
inline constexpr std::size_t kItemKinds = 6;

/// "setting", "listener", "certificate", "upstream", "server", "location".
[[nodiscard]] std::string_view name_of(ItemKind kind) noexcept;

struct Item {
  ItemKind kind = ItemKind::process;
  /// process: "main", "events", "http". listener: its address. certificate: the file. upstream: its
  /// name. server: "ADDRESS[, ADDRESS...] NAME". location: "SERVER: [MODIFIER] PATH". A second one
  /// of the same key has " #2" behind it.
  std::string key;
  std::vector<std::uint32_t> settings;  // in Outline::texts, by name; equal names as they stand
};

struct Outline {
  std::vector<std::string> texts;  // no text twice
  std::vector<Item> items;  // by kind and key, both ascending
};

[[nodiscard]] Outline outline(const Snapshot& snapshot);

/// One line of JSON: {"texts": ["..."], "items": [["server", "KEY", [0, 5]], ...]}.
[[nodiscard]] std::string to_json(const Outline& outline);
/// Strict about everything that the invariants above say. The error is a sentence.
[[nodiscard]] std::expected<Outline, std::string> parse_outline(std::string_view json);

/// A server or a location, by the block that it is: what counters are kept for.
struct Place {
  ItemKind kind = ItemKind::server;
  std::string key;  // the outline's
  const config::Level* level = nullptr;
};
/// In the order of their numbers (proxy/traffic.h): that of the configuration, each server before
/// its locations.
[[nodiscard]] std::vector<Place> places(const Snapshot& snapshot);

}  // namespace snapshot
